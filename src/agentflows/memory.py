"""Memory stores: named trees of Markdown files, every change a version, every block addressable.

The limits are those of the hosted API (Claude Managed Agents, memory stores): a store that fits here
can be moved there.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict

from agentflows.errors import LimitError

MAX_MEMORY_BYTES = 102_400
"""Hosted limit on one memory's UTF-8 content."""
MAX_PATH_BYTES = 1_024
MAX_PATH_SEGMENTS = 20
MAX_NAME_CHARS = 255
MAX_DESCRIPTION_CHARS = 1_024

Operation = Literal["created", "modified", "deleted"]
ActorKind = Literal["user_actor", "api_actor", "session_actor", "dream_actor"]
"""Who made a change. The first three are the hosted API's; `dream_actor` is a dream that committed by policy."""
EntryKind = Literal["heading", "list_item", "paragraph", "code", "table", "quote", "html", "front_matter"]


class Actor(BaseModel):
    """Who made a change: a kind, and a name people recognise (a login, a key id, a dream id)."""

    model_config = ConfigDict(frozen=True)

    kind: ActorKind
    name: str


class MemoryStore(BaseModel):
    """A named tree of memories."""

    model_config = ConfigDict(frozen=True)

    store_id: str
    """`memstore_…`"""
    name: str
    description: str = ""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    version: int
    """Counts commits: 0 is the empty store. A commit may change many memories; all or none."""
    sha256: str
    """Of the whole tree (`tree_sha256`)."""


class Memory(BaseModel):
    """One file of a store, as it is now."""

    model_config = ConfigDict(frozen=True)

    memory_id: str
    """`mem_…`; survives a rename."""
    store_id: str
    path: str
    content: str
    content_sha256: str
    memory_version_id: str
    created_at: datetime
    updated_at: datetime


class MemoryVersion(BaseModel):
    """One immutable change to one memory."""

    model_config = ConfigDict(frozen=True)

    memory_version_id: str
    """`memver_…`"""
    memory_id: str
    store_id: str
    store_version: int
    """The commit it belongs to."""
    path: str
    operation: Operation
    content: str | None
    """What the memory said after the change; None once deleted or redacted."""
    content_sha256: str | None
    created_by: Actor
    created_at: datetime
    dream_id: str = ""
    message: str = ""


class MemoryEdit(BaseModel):
    """One file's part of a commit: `content` None deletes."""

    model_config = ConfigDict(frozen=True)

    path: str
    content: str | None
    expected_sha256: str | None
    """What the file must hold now; None means that it must not exist. A mismatch writes nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One block of a memory: the unit of change."""

    entry_id: str
    """`<path>#<10 hex of the text's sha256>`, with `.2`, `.3` … when the same text stands again in the
    file: so the id survives edits elsewhere in the file, and an edit to the entry makes a new one."""
    path: str
    kind: EntryKind
    heading: tuple[str, ...]
    """The headings above it, outermost first."""
    text: str
    """Exactly its bytes in the file, without the line break that ends it."""
    start: int
    end: int
    """`content[start:end] == text`, in characters."""


def sha256(text: str) -> str:
    """Lower-case hex over the UTF-8 bytes, nothing normalised: the hosted API's `content_sha256`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def tree_sha256(files: dict[str, str]) -> str:
    """Identity of a whole store: its paths with the sha256 of each content."""
    return tree_sha256_of({path: sha256(content) for path, content in files.items()})


def tree_sha256_of(shas: Mapping[str, str]) -> str:
    """`tree_sha256` where the sha256 of each content is known already."""
    return sha256("\n".join(sorted(f"{path}\x00{content}" for path, content in shas.items())))


def check_name(name: str) -> str:
    """Return `name` when the hosted API would take it as a store's.

    Raises:
        LimitError: it is empty, too long, has a control character, or a space at an end, where nobody sees it.
    """
    problem = ""
    if not name.strip():
        problem = "it is empty"
    elif len(name) > MAX_NAME_CHARS:
        problem = f"it has {len(name)} characters; at most {MAX_NAME_CHARS} are allowed"
    elif any(unicodedata.category(char) in {"Cc", "Cs"} for char in name):
        problem = "it has a control character"
    elif name != name.strip():
        problem = f"it begins or ends with a space; {name.strip()!r} is meant, perhaps"
    if problem:
        msg = f"The store name {name!r} cannot be used: {problem}."
        raise LimitError(msg)
    return name


def check_description(description: str) -> str:
    """Return `description` when the hosted API would take it as a store's.

    Raises:
        LimitError: it is too long, or no valid UTF-8 text.
    """
    if len(description) > MAX_DESCRIPTION_CHARS:
        msg = (
            f"The store description has {len(description):,} characters; at most {MAX_DESCRIPTION_CHARS:,} "
            "are allowed. Shorten it, or put the rest into a memory."
        )
        raise LimitError(msg)
    if "\x00" in description or any(unicodedata.category(char) == "Cs" for char in description):
        msg = "The store description holds a NUL or a lone surrogate. Leave it out."
        raise LimitError(msg)
    return description


def check_path(path: str) -> str:
    """Return `path` when the hosted API would take it.

    Raises:
        LimitError: it breaks a rule; the message names it.
    """
    segments = path.split("/")[1:]
    problem = ""
    if not path.startswith("/"):
        problem = "it must start with '/'"
    elif not segments or any(segment in {"", ".", ".."} for segment in segments):
        problem = "no segment may be empty, '.' or '..'"
    elif len(segments) > MAX_PATH_SEGMENTS:
        problem = f"it has {len(segments)} segments; at most {MAX_PATH_SEGMENTS} are allowed"
    elif len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        problem = f"it is longer than {MAX_PATH_BYTES} bytes"
    elif unicodedata.normalize("NFC", path) != path:
        problem = "it must be in Unicode NFC"
    elif any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in path):
        problem = "it has a control or format character"
    if problem:
        msg = f"The memory path {path!r} cannot be used: {problem}."
        raise LimitError(msg)
    return path


def check_content(path: str, content: str) -> str:
    """Return `content` when it fits in one memory.

    Raises:
        LimitError: it is not valid UTF-8 text or longer than `MAX_MEMORY_BYTES`.
    """
    try:
        size = len(content.encode("utf-8"))
    except UnicodeEncodeError as error:
        msg = (
            f"The memory {path!r} holds a lone surrogate at character {error.start}. Memories are UTF-8 text."
        )
        raise LimitError(msg) from error
    if size > MAX_MEMORY_BYTES:
        msg = (
            f"The memory {path!r} would be {size:,} bytes; at most {MAX_MEMORY_BYTES:,} are allowed. "
            "Split it into several files."
        )
        raise LimitError(msg)
    return content


_BLOCKS: dict[str, EntryKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "list_item_open": "list_item",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
    "blockquote_open": "quote",
    "html_block": "html",
    "hr": "paragraph",
}
_BREAK = re.compile(r"\r\n|\r|\n")
"""What Markdown takes for the end of a line: the same three as in the parser, or the lines would not match."""
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*(?:\r\n|\r|\n).*?(?:\r\n|\r|\n)(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n|\Z)", re.DOTALL
)
_ENDS_BLANK = re.compile(r"(?:\r\n|\r(?!\n)|\n)[ \t]*(?:\r\n|\r(?!\n)|\n)\Z")


def parse_entries(path: str, content: str) -> list[Entry]:
    """Cut a Markdown file into its entries, in file order.

    Top-level blocks and top-level list items are entries; nested lists stay with their item. Text
    between entries (blank lines, reference definitions) belongs to none and is never changed, so
    `splice(content, {})` is `content`, byte for byte.
    """
    lines = _line_spans(content)
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    heading: list[tuple[int, str]] = []
    for kind, level, first, last in _blocks(content, lines):
        while last > first + 1 and not content[slice(*lines[last - 1])].strip(" \t"):
            last -= 1  # noqa: PLW2901 - blank lines at the end of a block are not part of its text
        start, end = lines[first][0], lines[last - 1][1]
        text = content[start:end]
        if kind == "heading":
            heading = [item for item in heading if item[0] < level]
        base = f"{path}#{sha256(text)[:10]}"
        seen[base] = seen.get(base, 0) + 1
        entry_id = base if seen[base] == 1 else f"{base}.{seen[base]}"
        entries.append(Entry(entry_id, path, kind, tuple(title for _, title in heading), text, start, end))
        if kind == "heading":
            heading.append((level, _BREAK.split(text)[0].strip().strip("#").strip()))
    return entries


def _line_spans(content: str) -> list[tuple[int, int]]:
    """Where each line starts and ends, its line break excluded."""
    spans: list[tuple[int, int]] = []
    start = 0
    for found in _BREAK.finditer(content):
        spans.append((start, found.start()))
        start = found.end()
    return [*spans, (start, len(content))]


def _blocks(content: str, lines: list[tuple[int, int]]) -> list[tuple[EntryKind, int, int, int]]:
    """The top-level blocks as (kind, heading level, first line, line after the last)."""
    found: list[tuple[EntryKind, int, int, int]] = []
    front = _FRONT_MATTER.match(content)
    skip = sum(start < front.end() for start, _ in lines) if front else 0
    if front:
        found.append(("front_matter", 0, 0, skip))
        content = "\n" * skip + content[front.end() :]
    for token in MarkdownIt("commonmark").enable("table").parse(content):
        kind = _BLOCKS.get(token.type)
        if kind is None or token.map is None:
            continue
        inside_list = token.type == "list_item_open" and token.level == 1
        if token.level == 0 or inside_list:
            level = int(token.tag[1]) if kind == "heading" else 0
            found.append((kind, level, token.map[0], token.map[1]))
    return found


def splice(content: str, replacements: Mapping[tuple[int, int], str | None]) -> str:
    """Replace stretches of a file and leave every other byte alone.

    `replacements` maps `(start, end)` of an entry to its new text; None removes the entry together
    with the line break that ends it, and one blank line where two would meet, or where one would meet
    the start or the end of the file. A file whose first block goes keeps a blank line at its start where
    the rule (`---`) that comes first then would be read as the beginning of front matter.
    """
    after = content
    for (start, end), text in sorted(replacements.items(), reverse=True):
        head, tail = after[:start], after[end:]
        after = head + text + tail if text is not None else _joined(head, _without_break(tail))
    front = None if _FRONT_MATTER.match(content) else _FRONT_MATTER.match(after)
    if front:
        return _BREAK.search(after).group() + after  # pyright: ignore[reportOptionalMemberAccess]
    return after


def _joined(head: str, tail: str) -> str:
    blank = _ENDS_BLANK.search(head)
    if blank and not tail:
        return head[: _BREAK.match(head, blank.start()).end()]  # pyright: ignore[reportOptionalMemberAccess]
    return head + (_without_break(tail) if not head or blank else tail)


def _without_break(text: str) -> str:
    found = _BREAK.match(text)
    return text[found.end() :] if found else text
