"""Does a commit write what was approved, and nothing else?

An approval binds changes; a commit writes whole files. Here the two are compared line by line: what the
approved changes do not name must stand as it stood and in its order, what they remove must be gone, and
every new line must be one they bring. Blank lines, and the marker a line stands behind (`- `, `## `), are
layout and left to whoever applies the changes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from agentflows.change import Change
from agentflows.memory import Entry, MemoryEdit, parse_entries

_MARKER = re.compile(r"^(?:(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)(?:\s+|$))+")
_REMOVING = {"merge", "supersede", "narrow", "retire"}
_WRITING = {"add", "merge", "supersede", "narrow"}


def unapproved(files: Mapping[str, str], edits: Sequence[MemoryEdit], changes: Sequence[Change]) -> str:
    """Why the edits are not what the changes say, over the files as they stand; "" when they are."""
    after = {edit.path: edit.content or "" for edit in edits}
    entries = {entry.entry_id: entry for path in _named_paths(changes) for entry in _entries(files, path)}
    going = {name for change in changes if change.op in _REMOVING for name in change.entry_ids}
    missing = sorted(going - set(entries))
    if missing:
        return f"the entry {missing[0]!r} is not in the store"
    writing = [change for change in changes if change.op in _WRITING]
    paths = {*after, *(change.path for change in writing), *(entries[name].path for name in going)}
    for path in sorted(paths):
        before = files.get(path, "")
        cut = [entries[name] for name in going if entries[name].path == path]
        here = [change for change in writing if change.path == path]
        problem = _difference(_kept(before, cut), _lines(after.get(path, before)), here)
        if problem:
            return f"in {path!r} {problem}"
    return ""


def said(text: str) -> tuple[str, ...]:
    """What a text says line by line, whatever markers and blank lines lay it out."""
    return tuple(_words(line) for line in _lines(text))


def _named_paths(changes: Iterable[Change]) -> set[str]:
    return {name.rpartition("#")[0] for change in changes for name in change.entry_ids}


def _entries(files: Mapping[str, str], path: str) -> list[Entry]:
    return parse_entries(path, files[path]) if path in files else []


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def _kept(before: str, cut: Sequence[Entry]) -> list[str]:
    """The lines that no approved change removes."""
    for entry in sorted(cut, key=lambda entry: entry.start, reverse=True):
        before = before[: entry.start] + before[entry.end :]
    return _lines(before)


def _words(line: str) -> str:
    return _MARKER.sub("", line.strip()).strip()


def _difference(kept: Sequence[str], present: Sequence[str], changes: Sequence[Change]) -> str:
    position = 0
    for line in present:
        if position < len(kept) and line == kept[position]:
            position += 1
    if position < len(kept):
        return f"the line {kept[position]!r} is gone, changed or moved, and no approved change says so"
    standing = {_folded(line) for line in present}
    for change in changes:
        for line in _lines(change.after or ""):
            if _folded(line) not in standing:
                return f"the approved line {_words(line)!r} is missing"
    new = Counter(_words(line) for line in (Counter(present) - Counter(kept)).elements())
    brought = Counter(_words(line) for change in changes for line in _lines(change.after or ""))
    headings = {_words(line) for change in changes for line in _lines(change.heading)}
    extra = next(iter((new - brought).keys() - headings - {""}), None)
    return "" if extra is None else f"the line {extra!r} is new, and no approved change brings it"


def _folded(line: str) -> str:
    """A line as someone sees it who looks whether it is there already: letters and digits, in lower case."""
    return "".join(char for char in _words(line).casefold() if char.isalnum())
