"""Decide on held changes, and commit what was approved: one by one, with who, when and why on record.

A decision binds the change's sha256 and the store version it was made against, expires, works once, and is
checked again inside the commit's transaction. If the store moved meanwhile, a change whose entries still
stand word for word is re-checked against the store as it is now; one whose entries are gone is refused.
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, Decision, Dream
from agentflows.dream.resolving import Answer
from agentflows.errors import ConflictError, NotApprovedError, StoreError, UsageError
from agentflows.memory import Actor, MemoryEdit, MemoryStore, sha256
from agentflows.review.choosing import OPEN, WRITES_NOTHING, Names, choose, chosen, held, waiting_flags
from agentflows.review.planning import Plan, Scan, own_changes, planned
from agentflows.store import Lease, State, secret_brought
from agentflows.store.failpoints import failpoint

_TRIES = 5
"""How often a policy's commit is made anew when others commit to the same store meanwhile."""


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


def approve(  # noqa: PLR0913 - each is part of what is decided
    state: State,
    dream_id: str,
    *,
    reviewer: str,
    only: Names | None = None,
    edits: Mapping[str, str] | None = None,
    resolve: Mapping[str, Answer] | None = None,
    reason: str = "",
    scan: Scan | None = None,
    base_version: int | None = None,
) -> ReviewResult:
    """Approve held changes and commit them in one transaction.

    `only` names them by number, as `review show` prints it, or id. `edits` gives the reviewer's own text for a change, by number or id; `resolve` the answer to a flag, which is
    then committed like any change. What an earlier call approved and did not live to commit is committed as it
    was approved. Without `only`, flags stay held unless they are answered: a flag asks a question, and approving
    everything answers none. Naming one in `only` acknowledges it: everything stays as it is. `base_version` is the version of
    the store that the reviewer looked at, where it must still be that one. `scan` finds secrets; None: the state's own.

    Raises:
        NotFoundError, UsageError: a name fits no held change, the edited change writes no text, or the flag
            cannot be answered so.
        ConflictError: the store moved while this ran, or since the reviewer looked; nothing was written.
        StoreError: what was approved breaks an invariant, or that or the reason holds a secret; nothing was decided.
    """
    scan = scan or state.scan
    report = state.dream(dream_id)
    own = own_changes(state, report, edits or {}, resolve or {})
    flags = waiting_flags(report) if only is None else {}
    flags = {number: name for number, name in flags.items() if name not in own}
    changes = [
        change for change in chosen(report, only, statuses=OPEN) if change.change_id not in flags.values()
    ]
    unnamed = set(own) - {change.change_id for change in changes}
    if unnamed:
        msg = f"{', '.join(sorted(unnamed))} is edited or answered and not among those to approve. Name it in `only`, too."
        raise UsageError(msg)
    actor = Actor(kind="user_actor", name=reviewer)
    plan = planned(state, report.dream, changes, own=own, scan=scan)
    if base_version is not None and plan.store.version != base_version:
        msg = (
            f"The store {plan.store.name!r} is at version {plan.store.version}, not {base_version}: someone committed "
            "meanwhile. Nothing was decided. Look at the changes again."
        )
        raise ConflictError(msg)
    result = _commit(state, report.dream, plan, actor=actor, reason=reason, own=own, scan=scan)
    return result.model_copy(update={"flags": tuple(flags)})


def reject(
    state: State, dream_id: str, *, reviewer: str, reason: str, only: Names | None = None
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
    scan = scan or state.scan
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
                planned(state, report.dream, changes, own={}, scan=scan),
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
    plan: Plan,
    *,
    actor: Actor,
    reason: str,
    own: Mapping[str, Change],
    scan: Scan | None,
    lease: Lease | None = None,
) -> ReviewResult:
    store, changes, refused = plan.store, plan.changes, plan.expired | plan.pinned
    _settle(state, dream, plan)
    if not changes:
        return _result(state, dream, store, [], refused, before=store.version)
    message = f"{len(changes)} of dream {dream.dream_id}: {reason}".rstrip(": ")
    # Asked before anything is decided: what is approved and cannot be committed is stuck.
    problem = plan.problem or secret_brought("the reason", "", message, scan)
    if problem:
        msg = f"Nothing was written: {problem}"
        raise StoreError(msg)
    decisions: list[Decision] = []
    for number, change in enumerate(changes, 1):
        decisions.append(
            state.decide(
                change.change_id,
                "approved",
                reviewer=actor.name,
                reason=reason,
                edited_after=change.after if change.change_id in own.keys() - plan.answers.keys() else None,
                resolved=plan.answers.get(change.change_id),
                base_version=store.version,
            )
        )
        failpoint(f"review.decided.{number}")
    failpoint("review.decided")
    edits = [
        MemoryEdit(
            path=path,
            content=plan.after.get(path),
            expected_sha256=sha256(plan.before[path]) if path in plan.before else None,
        )
        for path in plan.touched
    ]
    before = store.version
    store = state.commit(
        store.store_id,
        edits,
        base_version=store.version,
        actor=actor,
        message=message,
        dream_id=dream.dream_id,
        decisions=[decision.decision_id for decision in decisions],
        changes=changes,
        scan=scan,
        lease=lease,
    )
    return _result(state, dream, store, changes, refused, before=before)


def _settle(state: State, dream: Dream, plan: Plan) -> None:
    """Put on record what cannot be committed: what no longer fits has expired, what a pin stops waits."""
    for change_id, why in plan.expired.items():
        state.set_status([change_id], "expired", why)
    if plan.pinned:
        mine = {one.change_id for one in state.changes(dream_id=dream.dream_id) if one.status == "proposed"}
        for change_id in plan.pinned.keys() & mine:
            state.set_status([change_id], "held", plan.pinned[change_id])


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
        noted=tuple(change.change_id for change in committed if change.op in WRITES_NOTHING),
        refused=dict(refused),
        still_held=len(held(state, dream.dream_id)),
    )
