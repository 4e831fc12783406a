"""What a commit does to each memory, worked out and checked before anything is written."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from agentflows.errors import ConflictError, StoreError, UsageError
from agentflows.memory import MemoryEdit, Operation, check_content, check_path, sha256
from agentflows.store.tables import MemoryRow

Scan = Callable[[str], str]
"""Says why a text must not be stored (it holds a secret); "" when it may."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one memory."""

    operation: Operation
    path: str
    """Where it stands afterwards; for a deletion, where it stood."""
    content: str | None
    standing: MemoryRow | None
    """The memory as it is; None when it is made now."""
    memory_id: str
    """"" asks for a new id."""


def plan(
    head: Mapping[str, MemoryRow],
    edits: Sequence[MemoryEdit],
    *,
    ids: Mapping[str, str] | None = None,
    scan: Scan | None = None,
    texts: Mapping[str, str] | None = None,
) -> list[Step]:
    """The steps that take the head to what the edits say; edits that change nothing give none.

    A memory keeps its id where it moves: when one path goes and another comes with the same content,
    or when `ids` (path → memory id) says which memory is to stand at a path. `texts` (path → content) is what the
    edited files say now: the scan asks for what they do not say yet.

    Raises:
        ConflictError: a file is not what an edit expected.
        LimitError: a path or a content breaks a hosted limit.
        StoreError: the scan found a secret.
        UsageError: two edits name one path.
    """
    _check(head, edits, scan, texts or {})
    going = {edit.path for edit in edits if edit.content is None and edit.path in head}
    coming = [edit for edit in edits if edit.content is not None and edit.path not in head]
    moves = _moves(head, going, coming, ids or {})
    alive = {row.memory_id for row in head.values()}
    steps = [Step("deleted", path, None, head[path], "") for path in sorted(going - set(moves.values()))]
    for edit in edits:
        if edit.content is None:
            continue
        standing = head.get(moves.get(edit.path, edit.path))
        if standing is None:
            known = (ids or {}).get(edit.path, "")
            steps.append(Step("created", edit.path, edit.content, None, "" if known in alive else known))
        elif edit.path in moves or sha256(edit.content) != standing.content_sha256:
            steps.append(Step("modified", edit.path, edit.content, standing, standing.memory_id))
    return steps


def _moves(
    head: Mapping[str, MemoryRow], going: set[str], coming: Sequence[MemoryEdit], ids: Mapping[str, str]
) -> dict[str, str]:
    """New path → old path, for memories that move."""
    moves: dict[str, str] = {}
    free = sorted(going)
    for edit in coming:
        content_sha256 = sha256(edit.content or "")
        by_id = [path for path in free if head[path].memory_id == ids.get(edit.path)]
        by_content = [path for path in free if head[path].content_sha256 == content_sha256]
        for path in (by_id or by_content)[:1]:
            moves[edit.path] = path
            free.remove(path)
    return moves


def _check(
    head: Mapping[str, MemoryRow], edits: Sequence[MemoryEdit], scan: Scan | None, texts: Mapping[str, str]
) -> None:
    paths = [edit.path for edit in edits]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        msg = f"One commit edits {twice[0]!r} twice. Give one edit per path, with the text as it shall be."
        raise UsageError(msg)
    for edit in edits:
        check_path(edit.path)
        found = head[edit.path].content_sha256 if edit.path in head else None
        if found != edit.expected_sha256:
            raise _changed(edit, found)
        if edit.content is not None:
            check_content(edit.path, edit.content)
            refuse_secret(edit.path, texts.get(edit.path, ""), edit.content, scan)


def refuse_secret(place: str, before: str, after: str, scan: Scan | None) -> None:
    """Stop when `secret_brought` finds one.

    Raises:
        StoreError: it does.
    """
    problem = secret_brought(place, before, after, scan)
    if problem:
        msg = f"{problem}. Nothing was written. Take it out and try again."
        raise StoreError(msg)


def secret_brought(place: str, before: str, after: str, scan: Scan | None) -> str:
    """Why `after` must not take the place of `before`; "" when it may. The text itself is not repeated.

    Asked is what is new. A line that stood there word for word is nobody's now: a person took it in, and a commit that
    leaves it alone brings nothing.
    """
    reason = scan(after) if scan else ""
    if scan and reason and before:
        reason = _among_new_lines(before, after, scan)
    return f"{place!r} would hold a secret ({reason})" if reason else ""


def _among_new_lines(before: str, after: str, scan: Scan) -> str:
    """The scan's reason once the standing lines that hold a secret by themselves are out of its sight.

    Only those: of a secret that goes over two lines, a new line and a standing one, both must be seen. So lines are
    tried one by one, then paragraph by paragraph, and at last all that stand together.
    """
    lines = after.splitlines(keepends=True)
    left = Counter(before.splitlines())
    stands: list[bool] = []
    for line in after.splitlines():
        stands.append(left[line] > 0)
        left[line] -= 1
    blank = [not line.strip() for line in lines]
    sizes: tuple[Callable[[int], tuple[bool, Hashable]], ...] = (
        lambda place: (stands[place], place),
        lambda place: (stands[place] and not blank[place], 0),
        lambda place: (stands[place] or blank[place], 0),
    )
    reason = ""
    for size in sizes:
        for (is_standing, _), places in groupby(range(len(lines)), size):
            run = list(places)
            if is_standing and scan("".join(lines[place] for place in run)):
                lines[run[0] : run[-1] + 1] = ["\n"] * len(run)
        reason = scan("".join(lines))
        if not reason:
            break
    return reason


def _changed(edit: MemoryEdit, found: str | None) -> ConflictError:
    expected = f"sha256 {edit.expected_sha256[:12]}…" if edit.expected_sha256 else "no such memory"
    present = f"sha256 {found[:12]}…" if found else "no such memory"
    return ConflictError(
        f"The memory {edit.path!r} changed since it was read: expected {expected}, found {present}. Nothing was "
        "written. Read it again and redo the edit."
    )
