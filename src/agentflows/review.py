"""Decide on held changes, and commit what was approved: one by one, with who, when and why on record.

A decision binds the change's sha256 and the store version it was made against, expires, works once, and is
checked again inside the commit's transaction. If the store moved meanwhile, a change whose entries still
stand word for word is re-checked against the store as it is now; one whose entries are gone is refused.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agentflows import dream as deed
from agentflows.change import Change, Decision, Dream, DreamReport
from agentflows.dream.resolving import Answer, resolved
from agentflows.dream.texts import says_again
from agentflows.errors import ConflictError, NotApprovedError, NotFoundError, StoreError, UsageError
from agentflows.memory import Actor, MemoryEdit, MemoryStore, parse_entries, sha256
from agentflows.store import Lease, State, pinned_ids, touches_pinned
from agentflows.store.failpoints import failpoint

Scan = Callable[[str], str]
_TRIES = 5
"""How often a policy's commit is made anew when others commit to the same store meanwhile."""
_OPEN = ("held", "approved")
"""What can be approved: a change that was approved and not committed is one whose commit was killed."""
_WRITES_NOTHING = ("reinforce", "flag")


class ReviewResult(BaseModel):
    """What a review did."""

    model_config = ConfigDict(frozen=True)

    dream_id: str
    store_name: str
    store_version: int | None
    """The version it made; None when nothing was written."""
    committed: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    """Of `committed`, those that write nothing: more evidence for an entry, a flag that was looked at."""
    rejected: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    """Changes that could not be applied any more, and why."""
    still_held: int = 0
    flags: tuple[int, ...] = ()
    """Numbers of the flags that an approval of everything left for a person."""


def held(state: State, dream_id: str) -> list[Change]:
    """The changes of a dream that wait, in the order `review show` numbers them."""
    return [change for change in state.dream(dream_id).changes if change.status in _OPEN]


def choose(
    state: State, dream_id: str, only: Sequence[str] | None, *, statuses: Sequence[str] = ("held",)
) -> list[Change]:
    """The held changes that `only` names, by number (as `review show` prints them) or id; all when None.

    `statuses` is what counts as held.

    Raises:
        NotFoundError: a name fits no change of this dream.
        UsageError: the change is not waiting any more.
    """
    changes = list(state.dream(dream_id).changes)
    if only is None:
        return [change for change in changes if change.status in statuses]
    by_name = {str(number): change for number, change in enumerate(changes, 1)}
    by_name |= {change.change_id: change for change in changes}
    chosen: list[Change] = []
    for name in only:
        if name not in by_name:
            msg = f"Dream {dream_id} has no change {name!r}: it has {len(changes)}. See `agentflows review show {dream_id}`."
            raise NotFoundError(msg)
        change = by_name[name]
        if change.status not in statuses:
            msg = f"Change {name} is {change.status} already ({change.status_reason or 'no reason kept'}); only held changes can be decided."
            raise UsageError(msg)
        chosen.append(change)
    return chosen


def approve(  # noqa: PLR0913 - each is part of what is decided
    state: State,
    dream_id: str,
    *,
    reviewer: str,
    only: Sequence[str] | None = None,
    edits: Mapping[str, str] | None = None,
    resolve: Mapping[str, Answer] | None = None,
    reason: str = "",
    scan: Scan | None = None,
) -> ReviewResult:
    """Approve held changes and commit them in one transaction.

    `edits` gives the reviewer's own text for a change, by number or id; `resolve` the answer to a flag, which is
    then committed like any change. What an earlier call approved and did not live to commit is committed as it
    was approved. Without `only`, flags stay held unless they are answered: a flag asks a question, and approving
    everything answers none. Naming one in `only` acknowledges it: everything stays as it is.

    Raises:
        NotFoundError, UsageError: a name fits no held change, the edited change writes no text, or the flag
            cannot be answered so.
        ConflictError: the store moved while this ran; nothing was written, try again.
        StoreError: what was approved breaks an invariant; nothing was written.
    """
    report = state.dream(dream_id)
    own = _own(state, report, edits or {}, resolve or {})
    flags = waiting_flags(report) if only is None else {}
    flags = {number: name for number, name in flags.items() if name not in own}
    changes = [
        change
        for change in choose(state, dream_id, only, statuses=_OPEN)
        if change.change_id not in flags.values()
    ]
    unnamed = set(own) - {change.change_id for change in changes}
    if unnamed:
        msg = f"{', '.join(sorted(unnamed))} is edited or answered and not among those to approve. Name it in `only`, too."
        raise UsageError(msg)
    actor = Actor(kind="user_actor", name=reviewer)
    result = _commit(state, report.dream, changes, actor=actor, reason=reason, own=own, scan=scan)
    return result.model_copy(update={"flags": tuple(flags)})


def _own(
    state: State, report: DreamReport, edits: Mapping[str, str], resolve: Mapping[str, Answer]
) -> dict[str, Change]:
    """By id, the changes as the reviewer will have them: with a text of their own, or as the answer to a flag."""
    own: dict[str, Change] = {}
    answers: dict[str, Answer] = {**dict.fromkeys(edits, "edit"), **resolve}
    for name, answer in answers.items():
        change = choose(state, report.dream.dream_id, [name], statuses=_OPEN)[0]
        if change.op != "flag" and name in edits and name not in resolve:
            editable(state, report.dream.dream_id, name)
            own[change.change_id] = change.model_copy(update={"after": edits[name]})
        else:
            own[change.change_id] = _answer(state, report, change, answer, edits.get(name, ""))
    return own


def _answer(state: State, report: DreamReport, flag: Change, answer: Answer, text: str) -> Change:
    files = state.files(report.dream.output_store_id or report.dream.store_id)
    claims = (one.claim for one in report.patterns if one.pattern_id in flag.pattern_id.split("\n"))
    return resolved(flag, answer, files, text=text, claim=next(claims, ""))


def waiting_flags(report: DreamReport) -> dict[int, str]:
    """Number (as `review show` prints it) → id of each held flag."""
    return {
        number: change.change_id
        for number, change in enumerate(report.changes, 1)
        if change.op == "flag" and change.status == "held"
    }


def editable(state: State, dream_id: str, name: str) -> Change:
    """The held change that `name` names, when a reviewer can give it a text: a flag's takes the place of its entries.

    Raises:
        NotFoundError, UsageError: it fits no held change, or one that writes no text.
    """
    change = choose(state, dream_id, [name], statuses=_OPEN)[0]
    if change.op == "flag":
        return change
    if change.after is None or change.op in _WRITES_NOTHING:
        msg = f"Change {name} is a {change.op} and writes no text, so there is nothing to edit. Approve or reject it as it is."
        raise UsageError(msg)
    return change


def reject(
    state: State, dream_id: str, *, reviewer: str, reason: str, only: Sequence[str] | None = None
) -> ReviewResult:
    """Reject held changes. Later dreams do not propose them again and say why.

    Raises:
        UsageError: no reason was given, or a change is not waiting.
    """
    if not reason.strip():
        msg = "A rejection needs a reason: later dreams are shown it. Give --reason."
        raise UsageError(msg)
    changes = choose(state, dream_id, only)
    for change in changes:
        state.decide(change.change_id, "rejected", reviewer=reviewer, reason=reason)
    dream = state.dream(dream_id).dream
    return ReviewResult(
        dream_id=dream_id,
        store_name=dream.store_name,
        store_version=None,
        rejected=tuple(change.change_id for change in changes),
        still_held=len(held(state, dream_id)),
    )


def commit_by_policy(
    state: State, dream_id: str, *, scan: Scan | None = None, lease: Lease | None = None
) -> ReviewResult:
    """Commit what `commit="auto"` lets through: the same records, with the policy as the one who decided.

    When others commit meanwhile, what still fits is checked again and goes on top of theirs. Changes that are
    committed already are left alone, so that this can be called again after it failed or was killed. With the
    dream's `lease`, only its present holder commits.

    Raises:
        ConflictError: others committed each time it was tried, or the lease was lost; nothing was written.
    """
    actor = Actor(kind="dream_actor", name=dream_id)
    for left in reversed(range(_TRIES)):
        report = state.dream(dream_id)
        mine = {decision.change_id for decision in state.decisions(dream_id) if decision.reviewer == dream_id}
        changes = [
            change
            for change in report.changes
            if change.status == "proposed" or (change.status == "approved" and change.change_id in mine)
        ]
        if not changes:
            break
        try:
            return _commit(
                state,
                report.dream,
                changes,
                actor=actor,
                reason='commit="auto"',
                own={},
                scan=scan,
                lease=lease,
            )
        except (ConflictError, NotApprovedError):
            if not left:
                raise
    dream = state.dream(dream_id).dream
    return ReviewResult(dream_id=dream_id, store_name=dream.store_name, store_version=None)


def _commit(  # noqa: PLR0913 - each is a condition of the same commit
    state: State,
    dream: Dream,
    changes: Sequence[Change],
    *,
    actor: Actor,
    reason: str,
    own: Mapping[str, Change],
    scan: Scan | None,
    lease: Lease | None = None,
) -> ReviewResult:
    store = state.get_store(dream.output_store_id or dream.store_id)
    if store.archived_at is not None:
        msg = f"The store {store.name!r} is archived, which is final. Nothing was decided. Dream with output=create_new."
        raise StoreError(msg)
    files = state.files(store.store_id, store.version)
    undone = _undone(state, dream, changes)
    answers = {change.change_id: own.get(change.change_id) for change in undone if change.op == "flag"}
    undone = [own.get(change.change_id, change) for change in undone]
    free, pinned = _unpinned(state, store, files, undone)
    changes, refused = _still_fit(free, files)
    for change_id, why in refused.items():
        state.set_status([change_id], "expired", why)
    refused |= pinned
    if not changes:
        return _result(state, dream, store, [], refused, before=store.version)
    after = deed.apply_changes(files, changes)
    _check(files, after, changes, scan)
    decisions: list[Decision] = []
    for number, change in enumerate(changes, 1):
        decisions.append(
            state.decide(
                change.change_id,
                "approved",
                reviewer=actor.name,
                reason=reason,
                edited_after=change.after if change.change_id in own.keys() - answers.keys() else None,
                resolved=answers.get(change.change_id),
                base_version=store.version,
            )
        )
        failpoint(f"review.decided.{number}")
    failpoint("review.decided")
    edits = [
        MemoryEdit(
            path=path, content=after.get(path), expected_sha256=sha256(files[path]) if path in files else None
        )
        for path in sorted(files.keys() | after.keys())
        if files.get(path) != after.get(path)
    ]
    before = store.version
    store = state.commit(
        store.store_id,
        edits,
        base_version=store.version,
        actor=actor,
        message=f"{len(changes)} of dream {dream.dream_id}: {reason}".rstrip(": "),
        dream_id=dream.dream_id,
        decisions=[decision.decision_id for decision in decisions],
        changes=changes,
        scan=scan,
        lease=lease,
    )
    return _result(state, dream, store, changes, refused, before=before)


def _result(
    state: State,
    dream: Dream,
    store: MemoryStore,
    committed: Sequence[Change],
    refused: Mapping[str, str],
    *,
    before: int,
) -> ReviewResult:
    return ReviewResult(
        dream_id=dream.dream_id,
        store_name=store.name,
        store_version=store.version if store.version != before else None,
        committed=tuple(change.change_id for change in committed),
        noted=tuple(change.change_id for change in committed if change.op in _WRITES_NOTHING),
        refused=dict(refused),
        still_held=len(held(state, dream.dream_id)),
    )


def _undone(state: State, dream: Dream, changes: Sequence[Change]) -> list[Change]:
    """The changes as they stand now, without those that somebody else committed or decided otherwise.

    Asked after the store was read: whoever commits after that moves the store, and then nothing is decided.
    """
    now = {change.change_id: change for change in state.changes(dream_id=dream.dream_id)}
    found = [now[change.change_id] for change in changes]
    return [change for change in found if change.status in {"proposed", *_OPEN}]


def _unpinned(
    state: State, store: MemoryStore, files: Mapping[str, str], changes: Sequence[Change]
) -> tuple[list[Change], dict[str, str]]:
    """Split into what touches no pinned entry, and why the rest waits: once unpinned it can be approved."""
    pins = pinned_ids(state.pins(store.store_id), files)
    why = {
        change.change_id: f"{name} is pinned: `agentflows memory unpin {name} --store {store.name}` first"
        for change in changes
        if (name := touches_pinned(change, pins))
    }
    for change in changes:
        if change.change_id in why and change.status == "proposed":
            state.set_status([change.change_id], "held", why[change.change_id])
    return [change for change in changes if change.change_id not in why], why


def _still_fit(changes: Sequence[Change], files: Mapping[str, str]) -> tuple[list[Change], dict[str, str]]:
    """Split into what can be applied to `files` as they are, and why the rest cannot."""
    entries = [entry for path, text in files.items() for entry in parse_entries(path, text)]
    standing = {entry.entry_id for entry in entries}
    said = [entry.text for entry in entries]
    fit: list[Change] = []
    refused: dict[str, str] = {}
    for change in changes:
        gone = [entry_id for entry_id in change.entry_ids if entry_id not in standing]
        if gone:
            refused[change.change_id] = f"the store moved: {', '.join(gone)} no longer stands as it was"
        elif change.op == "add" and says_again(change.after or "", said):
            refused[change.change_id] = "the store says it already"
        else:
            fit.append(change)
    return fit, refused


def _check(
    before: Mapping[str, str], after: Mapping[str, str], changes: Sequence[Change], scan: Scan | None
) -> None:
    problems = deed.violations(before, after, changes, scan=scan or (lambda _: ""))
    if problems:
        msg = f"Nothing was written: {problems[0].reason}" + (
            f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        )
        raise StoreError(msg)


__all__ = [
    "ConflictError",
    "ReviewResult",
    "approve",
    "choose",
    "commit_by_policy",
    "editable",
    "held",
    "reject",
    "waiting_flags",
]
