"""Mutations made for a rubric: what its checks forbid is planted, since no blind mutation would write it."""

import re
from pathlib import Path, PurePosixPath

from agentflows.rubric import Check, Rubric
from agentflows.workbench.mutations import MAX_TEXT_BYTES, Mutation, artifact_files

_CLASSES = {"d": "1", "w": "a", "s": " ", "S": "a", "D": "a", "W": " ", "n": "\n", "t": "\t"}
_SILENT = frozenset("bBAZ")
_MOST = 200


def plants(rubric: Rubric, folder: Path) -> list[Mutation]:
    """One mutation for each negated check: the forbidden file, or words its pattern finds.

    A pattern too intricate for `words_for`, or a path that names no file, gives none.
    """
    made = (_plant(criterion.check, folder) for criterion in rubric.criteria if criterion.check)
    return [one for one in made if one is not None]


def _plant(check: Check, folder: Path) -> Mutation | None:
    named = PurePosixPath(check.path)
    if not check.negated or not named.parts or named.is_absolute() or ".." in named.parts:
        return None
    if check.kind == "exists":
        path = re.sub(r"\[[^\]]*\]|[*?]", "x", check.path.replace("**/", ""))
        return Mutation(kind="plant", path=path, what="the forbidden file is there", content=b"x\n")
    words = words_for(check.pattern)
    files = artifact_files(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.glob(check.path)}
    target = next(
        (path for path in sorted(found & set(files)) if files[path].stat().st_size <= MAX_TEXT_BYTES), ""
    )
    if not words or not target:
        return None
    content = files[target].read_bytes().rstrip(b"\n") + b"\n" + words.encode("utf-8") + b"\n"
    return Mutation(kind="plant", path=target, what=f"it ends with {words!r}", content=content)


def words_for(pattern: str) -> str:
    """A short text that a pattern finds: the first of alternatives, one of each repetition; "" where that fails."""
    made, _ = _sequence(pattern, 0)
    try:
        is_found = re.search(pattern, made, re.MULTILINE) is not None
    except (re.error, RecursionError):
        return ""
    return made if made and is_found and len(made) <= _MOST else ""


def _sequence(pattern: str, place: int) -> tuple[str, int]:
    """What stands up to the end of the group or the pattern: its first alternative, and where it ends."""
    first, made, is_first = "", "", True
    while place < len(pattern) and pattern[place] != ")":
        if pattern[place] == "|":
            first, made, is_first = (made if is_first else first), "", False
            place += 1
            continue
        piece, place = _atom(pattern, place)
        count, place = _repeat(pattern, place)
        made += piece * count
    return (made if is_first else first), place


def _atom(pattern: str, place: int) -> tuple[str, int]:
    char = pattern[place]
    if char == "\\" and place + 1 < len(pattern):
        name = pattern[place + 1]
        return ("" if name in _SILENT else _CLASSES.get(name, name)), place + 2
    if char == "(":
        return _group(pattern, place)
    if char == "[":
        return _one_of(pattern, place)
    return {"^": "", "$": "", ".": "x"}.get(char, char), place + 1


def _group(pattern: str, place: int) -> tuple[str, int]:
    head = re.match(r"\((?:\?(?:[aiLmsux]+\)|[aiLmsux-]*:|P<\w+>|[=!]|<[=!]))?", pattern[place:])
    opening = head[0] if head else "("
    if opening.endswith(")"):  # flags alone
        return "", place + len(opening)
    made, end = _sequence(pattern, place + len(opening))
    is_ahead = opening in {"(?!", "(?<!"}
    return ("" if is_ahead else made), end + 1


def _one_of(pattern: str, place: int) -> tuple[str, int]:
    end = pattern.find("]", place + 2)
    if end < 0:
        return "", len(pattern)
    inside = pattern[place + 1 : end]
    if inside.startswith("^"):
        return next((char for char in "x1 -" if not re.match(f"[{inside[1:]}]", char)), "x"), end + 1
    if inside.startswith("\\") and len(inside) > 1:
        return _CLASSES.get(inside[1], inside[1]), end + 1
    return inside[0], end + 1


def _repeat(pattern: str, place: int) -> tuple[int, int]:
    """How often the atom stands, at least, and where the quantifier ends."""
    found = re.match(r"(?:([*?])|(\+)|\{(\d+)(?:,\d*)?\})[?+]?", pattern[place:])
    if not found:
        return 1, place
    count = 0 if found[1] else 1 if found[2] else int(found[3])
    return min(count, _MOST), place + found.end()
