"""Invariants: what must hold of a store after a dream, whatever engine and gates did before.

These look at the files themselves, before and after, and know the changes only as what was announced:
anything that happened without being announced is a violation.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, Ledger, Refusal
from agentflows.dream.apply import REMOVING, WRITING, apply_changes, as_item, fitted
from agentflows.dream.nominate import fold
from agentflows.dream.risks import whole_dream_hold
from agentflows.dream.texts import lost_specifics
from agentflows.errors import ConflictError, LimitError
from agentflows.memory import Entry, check_content, check_path, parse_entries, tree_sha256
from agentflows.redaction.canaries import Canaries

Scan = Callable[[str], str]
"""Says what secret a text holds; "" for none."""
_NONE_PLANTED = Canaries()


class Violation(BaseModel):
    """Something that must not be in a store's next version."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """`ledger`, `base`, `untouched`, `unannounced`, `missing`, `specifics`, `size`, `secret`, `canary`, `pin`
    or `loss`."""
    reason: str
    change_id: str = ""
    """Whose doing it is; "" where code cannot tell."""
    path: str = ""
    severity: Literal["refuse", "hold"] = "refuse"
    """`refuse`: nothing may be written; `hold`: a person may decide to."""


def check_invariants(  # noqa: PLR0913 - what it compares, and three settings by keyword
    files_before: Mapping[str, str],
    files_after: Mapping[str, str],
    changes: Sequence[Change],
    ledger: Ledger,
    scan: Scan,
    pins: Collection[str] = (),
    *,
    base_sha256: str = "",
    canaries: Canaries = _NONE_PLANTED,
) -> list[Violation]:
    """All invariants of a dream; empty when they hold.

    `pins` names entries (by id, path or text) that only a person may touch; `base_sha256` is the store's
    identity when the dream began ("" to leave it unchecked); `canaries` must never show up anywhere.
    """
    entries = _entries(files_before)
    found: list[Violation] = []
    imbalance = ledger.imbalance([entry.entry_id for entry in entries])
    if imbalance:
        found.append(Violation(rule="ledger", reason=f"the ledger does not balance: {imbalance}"))
    if base_sha256 and tree_sha256(dict(files_before)) != base_sha256:
        found.append(Violation(rule="base", reason="the store is not the version the dream began with"))
    found.extend(violations(files_before, files_after, changes, scan=scan, canaries=canaries))
    found.extend(losses(changes))
    found.extend(_pinned(entries, changes, pins))
    together = whole_dream_hold(entries, changes)
    if together:
        found.append(Violation(rule="loss", reason=together, severity="hold"))
    return found


def violations(
    before: Mapping[str, str],
    after: Mapping[str, str],
    changes: Sequence[Change],
    *,
    scan: Scan,
    canaries: Canaries = _NONE_PLANTED,
) -> list[Violation]:
    """What is wrong with writing `after` over `before` in the name of these changes: for every commit.

    Untouched entries and the text between them stand byte for byte and in order; nothing is new but what the
    changes bring; nothing they bring is missing; limits hold; no secret and no canary is written.
    """
    found: list[Violation] = []
    removed = {name for change in changes if change.op in REMOVING for name in change.entry_ids}
    brought = Counter(_written(before, changes))
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, ""), after.get(path, "")
        if old != new:
            found.extend(_changed_file(path, old, new, removed, brought))
            found.extend(_limits(path, new, changes))
    found.extend(_missing(after, changes))
    for change in changes:
        found.extend(_leaks(change, scan, canaries))
    return found


def _entries(files: Mapping[str, str]) -> list[Entry]:
    return [entry for path in sorted(files) for entry in parse_entries(path, files[path])]


def _written(before: Mapping[str, str], changes: Sequence[Change]) -> list[str]:
    """Every block the changes announce, with headings, line ends evened out."""
    entries = {entry.entry_id: entry for entry in _entries(before)}
    texts: list[str] = []
    for change in changes:
        if change.op not in WRITING or not change.after:
            continue
        like = entries.get(change.entry_ids[0]) if change.entry_ids else None
        texts.append(_even(fitted(change.after, like) if like else as_item(change.after)))
        texts.extend([_even(f"## {change.heading.strip()}")] if change.heading.strip() else [])
    return texts


def _even(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _changed_file(
    path: str, old: str, new: str, removed: Collection[str], brought: Counter[str]
) -> list[Violation]:
    stays = [entry.text for entry in parse_entries(path, old) if entry.entry_id not in removed]
    stands = [entry.text for entry in parse_entries(path, new)]
    extra = Counter(stands)
    for text in stays:
        extra[text] -= 1
    found: list[Violation] = []
    lost = _first_lost(stays, stands)
    if lost is not None:
        reason = f"in {path} an entry that no change names is gone, altered or moved: {lost[:120]!r}"
        found.append(Violation(rule="untouched", reason=reason, path=path))
    gap = Counter(_between(path, old)) - Counter(_between(path, new))
    if gap:
        reason = f"in {path} a line between entries is gone: {next(iter(gap))[:120]!r}"
        found.append(Violation(rule="untouched", reason=reason, path=path))
    for text, count in (+extra).items():
        if count > brought[_even(text)]:
            reason = f"in {path} there is text that no change announces: {text[:120]!r}"
            found.append(Violation(rule="unannounced", reason=reason, path=path))
    return found


def _first_lost(stays: Sequence[str], stands: Sequence[str]) -> str | None:
    """The first of `stays` that does not come, in this order, among `stands`."""
    position = 0
    for text in stays:
        while position < len(stands) and stands[position] != text:
            position += 1
        if position == len(stands):
            return text
        position += 1
    return None


def _between(path: str, content: str) -> list[str]:
    """The lines with text on them that belong to no entry."""
    left: list[str] = []
    at = 0
    for entry in parse_entries(path, content):
        left.append(content[at : entry.start])
        at = entry.end
    left.append(content[at:])
    return [line for part in left for line in part.splitlines() if line.strip()]


def _limits(path: str, content: str, changes: Sequence[Change]) -> list[Violation]:
    try:
        check_path(path)
        check_content(path, content)
    except LimitError as error:
        adds = [change for change in changes if change.op == "add" and change.path == path]
        weakest = min(adds, key=lambda one: (one.support, one.trust, one.change_id), default=None)
        change_id = weakest.change_id if weakest else ""
        return [Violation(rule="size", reason=str(error), change_id=change_id, path=path)]
    return []


def _missing(after: Mapping[str, str], changes: Sequence[Change]) -> list[Violation]:
    standing = {fold(entry.text) for entry in _entries(after)}
    return [
        Violation(
            rule="missing",
            reason=f"{change.change_id} ({change.op}) announces a text that is not there: {change.after[:120]!r}",
            change_id=change.change_id,
            path=change.path,
        )
        for change in changes
        if change.op in WRITING and change.after and fold(change.after) not in standing
    ]


def _leaks(change: Change, scan: Scan, canaries: Canaries) -> list[Violation]:
    written = f"{change.heading}\n{change.after or ''}\n{change.reason}"
    found: list[Violation] = []
    secret = scan(written)
    if secret and not canaries.number_in(written):
        reason = f"{change.change_id} would write a secret ({secret})"
        found.append(Violation(rule="secret", reason=reason, change_id=change.change_id, path=change.path))
    everything = "\n".join([written, change.path, *(quote.text for quote in change.quotes)])
    if canaries.number_in(everything):
        reason = f"{change.change_id} holds a canary: material reached it that must reach nothing"
        found.append(Violation(rule="canary", reason=reason, change_id=change.change_id, path=change.path))
    return found


def losses(changes: Sequence[Change]) -> list[Violation]:
    """Numbers, paths, ids and code spans that a change drops from the store without saying so.

    What is retired goes as a whole, and that is what the change says. A text that a reviewer edited may drop
    what they like, so this is not asked again at the commit.
    """
    found: list[Violation] = []
    for change in changes:
        if change.op not in {"merge", "narrow", "supersede"} or change.before is None:
            continue
        gone = lost_specifics([change.before], f"{change.after or ''}\n{change.reason}")
        if gone:
            reason = f"{change.change_id} ({change.op}) drops {', '.join(gone[:5])} and does not say so"
            found.append(Violation(rule="specifics", reason=reason, change_id=change.change_id))
    return found


def _pinned(entries: Sequence[Entry], changes: Sequence[Change], pins: Collection[str]) -> list[Violation]:
    wanted = {fold(pin) for pin in pins}
    names = (
        {
            entry.entry_id
            for entry in entries
            if entry.entry_id in pins or entry.path in pins or fold(entry.text) in wanted
        }
        if pins
        else set[str]()
    )
    return [
        Violation(
            rule="pin",
            reason=f"{change.change_id} ({change.op}) touches {name}, which is pinned",
            change_id=change.change_id,
            severity="hold",
        )
        for change in changes
        if change.op in REMOVING
        for name in change.entry_ids
        if name in names
    ]


def verify(
    files: Mapping[str, str],
    changes: Sequence[Change],
    *,
    scan: Scan,
    canaries: Canaries = _NONE_PLANTED,
    pins: Collection[str] = (),
) -> tuple[list[Change], list[Refusal]]:
    """The changes that can be carried out together without a violation, and those refused for one.

    `pins` names entries that only a person may touch, as for `check_invariants`. Where a violation is nobody's in particular, each change is tried alone; if none breaks anything alone,
    all are refused, for what they do together is not known to be safe.
    """
    touching = {one.change_id: one for one in _pinned(_entries(files) if pins else (), changes, pins)}
    refusals = [
        _refusal(change, touching[change.change_id]) for change in changes if change.change_id in touching
    ]
    kept = [change for change in changes if change.change_id not in touching]
    while kept:
        found = _trial(files, kept, scan, canaries)
        if not found:
            break
        guilty = {one.change_id: one for one in reversed(found) if one.change_id}
        if not guilty:
            alone = {change.change_id: _trial(files, [change], scan, canaries) for change in kept}
            guilty = {name: broken[0] for name, broken in alone.items() if broken}
        guilty = guilty or {change.change_id: found[0] for change in kept}
        refusals.extend(
            _refusal(change, guilty[change.change_id]) for change in kept if change.change_id in guilty
        )
        kept = [change for change in kept if change.change_id not in guilty]
    return kept, refusals


def _trial(
    files: Mapping[str, str], changes: Sequence[Change], scan: Scan, canaries: Canaries
) -> list[Violation]:
    try:
        after = apply_changes(files, changes)
    except ConflictError as error:
        named = next((change.change_id for change in changes if change.change_id in str(error)), "")
        return [Violation(rule="untouched", reason=str(error), change_id=named)]
    return [*losses(changes), *violations(files, after, changes, scan=scan, canaries=canaries)]


def _refusal(change: Change, violation: Violation) -> Refusal:
    claim = change.after or change.reason
    if violation.rule in {"secret", "canary"}:
        claim = f"{change.op} in {change.path} (its text is not repeated here)"
    gate = "pinned" if violation.rule == "pin" else violation.rule
    return Refusal(gate=gate, reason=violation.reason, claim=claim[:1_000], key=change.pattern_key)
