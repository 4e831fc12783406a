"""Token counts of the fake: a fixed rule on characters, and a prompt cache that remembers prefixes.

No tokenizer is imitated. Four characters are one token, rounded up per block, so that a test can work out
every number by hand.
"""

import hashlib
import json
import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CHARS_PER_TOKEN = 4
LOOKBACK = 20
"""How many blocks before a cache mark are searched for a prefix that was written earlier."""


def tokens(text: str) -> int:
    """Tokens of `text` by the fake's rule."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def content_tokens(content: tuple[Mapping[str, Any], ...]) -> int:
    """Output tokens of a reply; at least one, as the API counts even an empty reply."""
    return max(1, sum(tokens(block_text(block)) for block in content))


def block_text(block: Mapping[str, Any]) -> str:
    """What of a content block counts: its text, or its JSON."""
    for name in ("text", "thinking"):
        if name in block:
            return str(block[name])
    return json.dumps({k: v for k, v in block.items() if k != "cache_control"}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Segment:
    """One block of the prompt, in the order the cache sees it."""

    text: str
    marked: bool


def segments(body: Mapping[str, Any]) -> list[Segment]:
    """The prompt as the cache sees it: schema, tools, system, messages."""
    found = list(_segments(body))
    if body.get("cache_control") and found:
        found[-1] = Segment(found[-1].text, marked=True)
    return found


def _segments(body: Mapping[str, Any]) -> Iterator[Segment]:
    wanted = wanted_schema(body)
    if wanted is not None:
        yield Segment(json.dumps(wanted, sort_keys=True), marked=False)
    for block in (*body.get("tools", ()), *_blocks(body.get("system", ""))):
        yield Segment(block_text(block), bool(block.get("cache_control")))
    for message in body["messages"]:
        for block in _blocks(message["content"]):
            yield Segment(block_text(block), bool(block.get("cache_control")))


def wanted_schema(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON schema a request asks its reply to fit."""
    config: Mapping[str, Any] = body.get("output_config") or {}
    wanted: Mapping[str, Any] = config.get("format") or {}
    return wanted.get("schema")


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def input_tokens(body: Mapping[str, Any]) -> int:
    """All input tokens of a request, cached or not."""
    return sum(tokens(segment.text) for segment in segments(body))


class PromptCache:
    """Which prefixes were written, per model. Entries do not expire."""

    def __init__(self, minimum_tokens: int) -> None:
        self._minimum = minimum_tokens
        self._written: set[bytes] = set()
        self._lock = threading.Lock()

    def usage(self, body: Mapping[str, Any]) -> dict[str, int]:
        """Input counts as `usage` reports them; remembers the prefix up to the last cache mark."""
        parts = segments(body)
        sizes, digests = _prefixes(str(body["model"]), parts)
        marks = [n for n, part in enumerate(parts) if part.marked and sizes[n] >= self._minimum]
        total = sizes[-1] if sizes else 0
        if not marks:
            return _input_usage(total, 0, 0)
        with self._lock:
            candidates = {n for mark in marks for n in range(max(0, mark - LOOKBACK + 1), mark + 1)}
            read = max((sizes[n] for n in candidates if digests[n] in self._written), default=0)
            self._written.update(digests[mark] for mark in marks)
        covered = sizes[marks[-1]]
        return _input_usage(total - covered, read, covered - read)


def _prefixes(model: str, parts: list[Segment]) -> tuple[list[int], list[bytes]]:
    digest = hashlib.sha256(model.encode())
    sizes: list[int] = []
    digests: list[bytes] = []
    for part in parts:
        digest.update(b"\x1e" + part.text.encode("utf-8", "surrogatepass"))
        sizes.append((sizes[-1] if sizes else 0) + tokens(part.text))
        digests.append(digest.copy().digest())
    return sizes, digests


def _input_usage(plain: int, read: int, written: int) -> dict[str, int]:
    return {"input_tokens": plain, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
