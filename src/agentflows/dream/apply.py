"""Apply: changes become new file contents, and every byte that no change names stays as it is."""

import re
from collections.abc import Mapping, Sequence

from agentflows.change import Change
from agentflows.dream.nominate import fold
from agentflows.errors import ConflictError
from agentflows.memory import MAX_MEMORY_BYTES, Entry, EntryKind, parse_entries, splice

WRITING = frozenset({"add", "merge", "supersede", "narrow", "retire"})
"""Operations that change a file; `reinforce` and `flag` write nothing."""
REMOVING = frozenset({"merge", "supersede", "narrow", "retire"})
"""Operations after which the entries they name no longer stand as they were."""
FIXED_KINDS: frozenset[EntryKind] = frozenset({"heading", "front_matter", "html"})
"""Blocks that hold a file together; no change may touch them."""

_MARKER = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?: +|\t)")
_NUMBERED = re.compile(r"-(\d+)$")


def apply_changes(files: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """The files with the changes in them, adds in the order given.

    An add whose text stands in its file already is not written again. A missing file or heading is made.

    Raises:
        ConflictError: an entry that a change is about is not there any more, does not say what the change
            was made for, or is named by two changes. Nothing is written by this function, so nothing was.
    """
    after = dict(files)
    for path, edits in _edits(files, changes).items():
        after[path] = splice(files[path], edits)
    adds: dict[str, list[Change]] = {}
    for change in changes:
        if change.op == "add":
            adds.setdefault(change.path, []).append(change)
    for path in sorted(adds):
        after[path] = _added(path, after.get(path, ""), adds[path])
    return after


def _edits(
    files: Mapping[str, str], changes: Sequence[Change]
) -> dict[str, dict[tuple[int, int], str | None]]:
    """What replaces which stretch of which file."""
    edits: dict[str, dict[tuple[int, int], str | None]] = {}
    entries: dict[str, Entry] = {}
    for path in sorted({path_of(name) for change in changes for name in change.entry_ids} & files.keys()):
        entries |= {entry.entry_id: entry for entry in parse_entries(path, files[path])}
    for change in changes:
        if change.op not in REMOVING:
            continue
        for number, entry in enumerate(_named(change, entries)):
            place = (entry.start, entry.end)
            here = edits.setdefault(entry.path, {})
            if place in here:
                msg = f"Two changes edit {entry.entry_id}; {change.change_id} is the second. Approve one of them."
                raise ConflictError(msg)
            text = fitted(change.after, entry) if number == 0 and change.after else None
            here[place] = text and _with_breaks(text, files[entry.path])
    return edits


def _named(change: Change, entries: Mapping[str, Entry]) -> list[Entry]:
    for entry_id in change.entry_ids:
        if entry_id not in entries:
            msg = (
                f"{change.change_id} ({change.op}) is about {entry_id}, which is not there any more: the memory "
                "changed since the dream read it. Nothing was written; dream again."
            )
            raise ConflictError(msg)
    named = [entries[entry_id] for entry_id in change.entry_ids]
    if change.before is not None and change.before != before_of(named):
        msg = f"{change.change_id} was made for another text than {change.entry_ids[0]} holds. Dream again."
        raise ConflictError(msg)
    return named


def before_of(entries: Sequence[Entry]) -> str:
    """What `Change.before` says of these entries."""
    return "\n\n".join(entry.text for entry in entries)


def path_of(entry_id: str) -> str:
    """The path in an entry's id."""
    return entry_id.rpartition("#")[0]


# -- the form of a text ------------------------------------------------------------------------------


def as_item(text: str) -> str:
    """A text as one list item: `- ` first, further lines indented so that they belong to it."""
    text = text.strip("\n").rstrip()
    if not _MARKER.match(text):
        text = f"- {text.lstrip()}"
    return _indented(text)


def fitted(text: str, like: Entry) -> str:
    """A text in the form of the entry whose place it takes: a list item stays one, prose stays prose."""
    text = text.strip("\n").rstrip()
    old, new = _MARKER.match(like.text), _MARKER.match(text)
    if like.kind == "list_item" and old:
        return _indented(text if new else old.group() + text.lstrip())
    if like.kind == "paragraph" and new and "\n" not in text:
        return text[new.end() :]
    return text


def _indented(item: str) -> str:
    if not form_problem(item, "list_item"):
        return item
    marker = _MARKER.match(item)
    width = marker.end() if marker else 2
    first, *rest = item.split("\n")
    return "\n".join([first, *(f"{' ' * width}{line}" if _at_margin(line, width) else line for line in rest)])


def _at_margin(line: str, width: int) -> bool:
    return bool(line.strip()) and len(line) - len(line.lstrip(" ")) < width and not line.startswith("\t")


def form_problem(text: str, kind: EntryKind) -> str:
    """Why `text` cannot stand as one entry of that kind; "" when it can."""
    found = parse_entries("/x.md", text)
    if len(found) != 1 or found[0].text != text:
        return f"it is {len(found)} blocks of Markdown, not one"
    same = found[0].kind == kind or {found[0].kind, kind} <= {"paragraph", "list_item"}
    return "" if same else f"it is a {found[0].kind}, not a {kind}"


# -- adding ------------------------------------------------------------------------------------------


def _added(path: str, content: str, adds: Sequence[Change]) -> str:
    """The file with new items, each under its heading."""
    entries = parse_entries(path, content)
    standing = {fold(entry.text) for entry in entries}
    by_heading: dict[str, tuple[str, list[str]]] = {}
    for change in adds:
        item = as_item(change.after or "")
        if fold(item) not in standing:
            standing.add(fold(item))
            by_heading.setdefault(fold(change.heading), (change.heading, []))[1].append(item)
    insertions: dict[tuple[int, int], str | None] = {}
    at_end: list[str] = []
    for folded, (heading, items) in by_heading.items():
        last = _last_under(folded, entries)
        if last is None:
            at_end.append("\n".join([f"## {heading.strip()}\n", *items] if heading.strip() else items))
        else:
            place = (last.end, last.end)
            added = _with_breaks(_gap(last, entries, content) + "\n".join(items), content)
            insertions[place] = (insertions.get(place) or "") + added
    return _appended(splice(content, insertions), at_end)


def _with_breaks(text: str, content: str) -> str:
    """The text with the line ends that the file uses."""
    even = text.replace("\r\n", "\n")
    return even.replace("\n", "\r\n") if "\r\n" in content else even


def _last_under(heading: str, entries: Sequence[Entry]) -> Entry | None:
    """The entry after which the next one under `heading` goes; None when there is no such heading.

    No heading means the end of the file, so that an item joins the list that stands there.
    """
    if not heading:
        last = entries[-1] if entries else None
        return last if last and not last.heading and last.kind == "list_item" else None
    title = next((entry for entry in entries if entry.kind == "heading" and _title(entry) == heading), None)
    if title is None:
        return None
    last = title
    for entry in entries[entries.index(title) + 1 :]:
        if entry.kind == "heading":
            break
        last = entry
    return last


def _title(entry: Entry) -> str:
    return fold(entry.text.split("\n")[0].strip().strip("#"))


def _gap(last: Entry, entries: Sequence[Entry], content: str) -> str:
    """A line break where the list goes on, a blank line where it starts; loose lists stay loose."""
    bullet = last.kind == "list_item" and last.text.lstrip().startswith("- ")
    if not bullet:
        return "\n\n"
    before = entries[entries.index(last) - 1] if entries.index(last) else None
    if before is None or before.kind != "list_item":
        return "\n"
    return "\n\n" if content[before.end : last.start].count("\n") > 1 else "\n"


def _appended(content: str, blocks: Sequence[str]) -> str:
    for block in blocks:
        even = content.replace("\r\n", "\n")
        gap = "" if not even or even.endswith("\n\n") else "\n" if even.endswith("\n") else "\n\n"
        content += _with_breaks(f"{gap}{block}\n", content)
    return content


def next_path(path: str) -> str:
    """Where to go on when a memory is full: `/learned.md`, then `/learned-2.md`, then `/learned-3.md`."""
    stem, dot, ending = path.rpartition(".")
    if not dot or "/" in ending:
        stem, ending = path, ""
    number = _NUMBERED.search(stem)
    stem, count = (stem[: number.start()], int(number.group(1))) if number else (stem, 1)
    return f"{stem}-{count + 1}{dot if ending else ''}{ending}"


def roomy(files: Mapping[str, str], adds: Sequence[Change]) -> list[Change]:
    """The adds, each with a path whose memory has room for it and all before it within the hosted limit.

    Decided when a change is proposed, for what a reviewer approves says which file it goes to.
    """
    sizes = {path: len(content.encode()) for path, content in files.items()}
    placed: list[Change] = []
    for change in adds:
        size = len(as_item(change.after or "").encode()) + len(change.heading.encode()) + 8
        path = change.path
        while sizes.get(path, 0) + size > MAX_MEMORY_BYTES and sizes.get(path, 0):
            path = next_path(path)
        sizes[path] = sizes.get(path, 0) + size
        placed.append(change if path == change.path else change.model_copy(update={"path": path}))
    return placed
