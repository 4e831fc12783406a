"""What tells good examples from bad ones: candidates for checks, from files, headings, JSON, patterns and sizes.

Candidates are guesses. Each is tried on every example before it becomes a criterion: it must hold on all good ones
and, where bad ones are given, fail on at least one of them.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from agentflows.evaluation import Met
from agentflows.rubric import Check
from agentflows.workbench.mutations import MAX_TEXT_BYTES, PROSE, artifact_files

Decide = Callable[[Check, Path], Met]
"""Decides one check on one folder, for real."""
MAX_CHECKS = 8
"""Checks in a draft: what tells examples apart is soon told several times over."""
MAX_CANDIDATES = 200

PATTERNS: Mapping[str, str] = {
    "names a version such as 1.8.0": r"\bv?\d+\.\d+\.\d+\b",
    "has a date such as 2026-03-01": r"\b\d{4}-\d{2}-\d{2}\b",
    "refers to a pull request or issue such as #412": r"(?:^|[\s(])#\d+\b",
    "has a link": r"\]\([^)\s]+\)|https?://\S+",
    "has a code block": r"^\s*```",
    "has a table": r"^\|.*\|\s*$",
    "has a list": r"^\s*(?:[-*+]|\d+\.) \S",
    "names an owner such as @ada": r"(?:^|[\s(])@[a-z][\w-]+",
    "has a time such as 09:12": r"\b[0-2]\d:[0-5]\d\b",
    "has a number": r"\d",
}
"""What a text may have, and a pattern that finds it."""
UNFINISHED: Mapping[str, str] = {
    "leaves nothing to be written": r"\b(?:TODO|TBD|FIXME|XXX)\b|(?i:lorem ipsum|to be (?:written|done|decided))",
    "has no placeholder in angle brackets": r"<(?:your|insert|name|date|todo)[^<>\n]*>",
    "has no apology or talk of the model that wrote it": r"(?i)\bas an ai\b|\bi(?:'m| am) sorry\b|\bi cannot\b",
}
"""What must not stand in a text."""


class Candidate(BaseModel):
    """A check that may tell good from bad, and its words."""

    model_config = ConfigDict(frozen=True)

    text: str
    check: Check


class Verified(BaseModel):
    """A candidate that holds on all good examples."""

    model_config = ConfigDict(frozen=True)

    candidate: Candidate
    fails_on: tuple[int, ...]
    """Places of the bad examples it fails on."""


class Sample:
    """One example artifact, its files and texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = artifact_files(folder)
        self.texts = {path: text for path, file in self.files.items() if (text := _text(file))}


def _text(file: Path) -> str:
    raw = file.read_bytes()[: MAX_TEXT_BYTES + 1]
    if len(raw) > MAX_TEXT_BYTES or b"\x00" in raw:
        return ""
    return raw.decode("utf-8", errors="replace")


def verified(good: Sequence[Sample], bad: Sequence[Sample], decide: Decide) -> list[Verified]:
    """Checks that hold on all good examples and fail on a bad one, the most telling first, at most `MAX_CHECKS`."""
    found: list[Verified] = []
    for candidate in list(_candidates(good, bad))[:MAX_CANDIDATES]:
        if any(decide(candidate.check, sample.folder) != "met" for sample in good):
            continue
        fails = tuple(n for n, sample in enumerate(bad) if decide(candidate.check, sample.folder) == "unmet")
        if fails or not bad:
            found.append(Verified(candidate=candidate, fails_on=fails))
    found.sort(key=lambda one: -len(one.fails_on))
    return _varied(found)


def _varied(found: Sequence[Verified]) -> list[Verified]:
    """At most three of one kind on one file."""
    taken: dict[tuple[str, str], int] = {}
    kept: list[Verified] = []
    for one in found:
        key = (one.candidate.check.kind, one.candidate.check.path)
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= 3 and len(kept) < MAX_CHECKS:
            kept.append(one)
    return kept


def common_files(good: Sequence[Sample]) -> list[str]:
    """Files that every good example has."""
    shared = set(good[0].files)
    for sample in good[1:]:
        shared &= set(sample.files)
    return sorted(shared)


def _candidates(good: Sequence[Sample], bad: Sequence[Sample]) -> Iterator[Candidate]:
    shared = common_files(good)
    for path in shared:
        if not bad or any(path not in sample.files for sample in bad):
            yield Candidate(text=f"`{path}` is there.", check=Check(kind="exists", path=path))
    yield from _unwanted(good, bad)
    for path in shared:
        texts = [sample.texts.get(path, "") for sample in good]
        if not all(texts):
            continue
        if path.endswith(".json"):
            yield from _schema(path, texts)
        else:
            yield from _headings(path, texts)
            yield from _patterns(path)
            yield from _every_line(path, texts)
            yield from _sizes(path, texts, [sample.texts[path] for sample in bad if path in sample.texts])
    yield from _commands(shared)


def _unwanted(good: Sequence[Sample], bad: Sequence[Sample]) -> Iterator[Candidate]:
    """Files that some bad example has and no good one."""
    wanted = {path for sample in good for path in sample.files}
    for path in sorted({path for sample in bad for path in sample.files} - wanted):
        yield Candidate(text=f"There is no `{path}`.", check=Check(kind="exists", path=path, negated=True))


def _headings(path: str, texts: Sequence[str]) -> Iterator[Candidate]:
    shared: list[str] | None = None
    for text in texts:
        found = re.findall(r"(?m)^#{1,6} +(.+?)\s*$", text)
        shared = found if shared is None else [heading for heading in shared if heading in found]
    for heading in dict.fromkeys(shared or []):
        if not re.search(r"\d", heading):
            pattern = rf"^#{{1,6}} +{_escaped(heading)}\s*$"
            yield Candidate(
                text=f"`{path}` has the heading “{heading}”.",
                check=Check(kind="regex", path=path, pattern=pattern),
            )


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _patterns(path: str) -> Iterator[Candidate]:
    for what, pattern in UNFINISHED.items():
        yield Candidate(
            text=f"`{path}` {what}.", check=Check(kind="regex", path=path, pattern=pattern, negated=True)
        )
    for what, pattern in PATTERNS.items() if Path(path).suffix.lower() in PROSE else ():
        yield Candidate(text=f"`{path}` {what}.", check=Check(kind="regex", path=path, pattern=pattern))


_PER_ITEM: Mapping[str, str] = {
    "refers to a pull request or issue such as #412": "#[0-9]+",
    "begins with a time such as 09:12": "^[-*+] [0-2][0-9]:[0-5][0-9]",
    "names an owner such as @ada": "@[a-z]",
    "has a date such as 2026-03-01": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "has a link": r"\]\([^)]+\)",
}
"""What every item of a list may have, as an extended regular expression."""


def _every_line(path: str, texts: Sequence[str]) -> Iterator[Candidate]:
    """What each list item, or each heading of the second level, has in common: one that lacks it fails."""
    if re.search(r"[^\w./-]", path):
        return
    items = [line for text in texts for line in re.findall(r"(?m)^[-*+] .*$", text)]
    for what, pattern in _PER_ITEM.items():
        if items and all(re.search(pattern, item) for item in items):
            yield _each(path, "item of the lists", what, "^[-*+] ", pattern)
    shapes = {_shape(line) for text in texts for line in re.findall(r"(?m)^## .*$", text)}
    if len(shapes) == 1 and "[0-9]" in (shape := shapes.pop()):
        example = re.search(r"(?m)^## (.*)$", texts[0])
        yield _each(path, "heading", f"has the form of “{example[1] if example else shape}”", "^## ", shape)


def _shape(line: str) -> str:
    """A line as a pattern: digits stand for digits, all else for itself."""
    return f"^{re.sub(r'[0-9]+', '[0-9]+', _escaped(line.rstrip()))}$"


def _each(path: str, thing: str, what: str, lines: str, pattern: str) -> Candidate:
    quoted = pattern.replace("'", "'\\''")
    command = f"grep -qE '{lines}' {path} && ! grep -E '{lines}' {path} | grep -qvE '{quoted}'"
    return Candidate(text=f"Each {thing} of `{path}` {what}.", check=Check(kind="command", command=command))


def _sizes(path: str, texts: Sequence[str], others: Sequence[str]) -> Iterator[Candidate]:
    """A limit between the sizes of good and bad, where there is room for one: twice the largest, half the smallest."""
    sizes = [len(text.split()) for text in texts]
    most, least = _rounded(2 * max(sizes)), max(1, min(sizes) // 2)
    quoted = f"'{path}'" if re.search(r"[^\w./-]", path) else path
    if any(len(text.split()) > most for text in others):
        command = f'test "$(wc -w < {quoted})" -le {most}'
        yield Candidate(
            text=f"`{path}` has at most {most} words.", check=Check(kind="command", command=command)
        )
    if any(len(text.split()) < least for text in others):
        command = f'test "$(wc -w < {quoted})" -ge {least}'
        yield Candidate(
            text=f"`{path}` has {least} words or more.", check=Check(kind="command", command=command)
        )


def _rounded(number: int) -> int:
    """Up to two digits that count."""
    scale = 10 ** max(0, len(str(number)) - 2)
    return -(-number // scale) * scale


_COMMANDS = {
    ".py": ("is Python that compiles", "python3 -m py_compile {path}"),
    ".sh": ("is a shell script without syntax errors", "bash -n {path}"),
}


def _commands(shared: Sequence[str]) -> Iterator[Candidate]:
    for path in shared:
        if (found := _COMMANDS.get(Path(path).suffix)) and not re.search(r"[^\w./-]", path):
            what, command = found
            yield Candidate(
                text=f"`{path}` {what}.", check=Check(kind="command", command=command.format(path=path))
            )


# -- JSON ----------------------------------------------------------------------------------------------------

_TYPES: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))  # fmt: skip


def _schema(path: str, texts: Sequence[str]) -> Iterator[Candidate]:
    """What all good values have in common: the type, and the keys with their types."""
    try:
        values: list[Any] = [json.loads(text) for text in texts]
    except (ValueError, RecursionError):
        return
    names = {_type(value) for value in values}
    if len(names) > 1:
        return
    schema: dict[str, Any] = {"type": names.pop()}
    if schema["type"] == "object":
        fields = [cast("dict[str, Any]", value) for value in values]
        shared = [key for key in fields[0] if all(key in value for value in fields)]
        types = {key: sorted({_type(value[key]) for value in fields}) for key in shared}
        schema["required"] = shared
        schema["properties"] = {
            key: {"type": kinds[0] if len(kinds) == 1 else kinds} for key, kinds in types.items()
        }
    keys = "".join(f" `{key}`," for key in schema.get("required", []))[:-1]
    text = f"`{path}` is JSON{' with the keys' + keys if keys else ''}."
    yield Candidate(text=text, check=Check(kind="json_schema", path=path, json_schema=schema))


def _type(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "null")
