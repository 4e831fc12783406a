"""Carry out what a reviewer's form says: all of it or, where the form is wrong, nothing, with a message to ask again by.

A form may be answered hours after it was shown. What others decided meanwhile is told and left alone, and what was
edited meanwhile is not approved unseen. Carrying out the same form again changes nothing.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, Decision, DreamReport
from agentflows.dream.resolving import Answer
from agentflows.errors import ConflictError, NotApprovedError, UsageError
from agentflows.review.choosing import OPEN
from agentflows.review.deciding import ReviewResult, approve, reject
from agentflows.review.planning import Scan
from agentflows.review.sheet import picked, ranges
from agentflows.store import State

Said = Literal["by number", "approve all", "reject all", "leave all"]
"""What a form decides. `all` is what waited when the form was shown, but for flags that are not answered.

* `by number`: what stands under Approve and Reject
* `approve all`, `reject all`: all but what stands under the other
* `leave all`: nothing is decided
"""
NOT_ANSWERED = "not answered"
"""What a form says of a flag that it leaves."""
_TRIES = 3
"""How often a decision is made anew when others commit to the same store meanwhile."""


class Answers(BaseModel):
    """What a reviewer filled in."""

    model_config = ConfigDict(frozen=True)

    said: Said = "by number"
    approve: str = ""
    """In words of `picked`; so is `reject`."""
    reject: str = ""
    flags: dict[int, Answer] = {}
    edits: dict[int, str] = {}
    """The reviewer's own text, by number; of a flag, what takes the place of its entries."""
    reason: str = ""
    reviewer: str

    @property
    def is_blank(self) -> bool:
        """Whether no change is named at all."""
        return not (self.approve.strip() or self.reject.strip() or self.flags or self.edits)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Answers":
        """What the fields of a form say: `decision`, `approve`, `flag_12`, and so on.

        Raises:
            UsageError: the name of who decides is blank.
        """
        reviewer = str(said.get("reviewer", "")).strip()
        if not reviewer:
            msg = "Your name is missing: a decision is kept on record with who made it."
            raise UsageError(msg)
        flags = {
            int(name.removeprefix("flag_")): value
            for name, value in said.items()
            if name.startswith("flag_") and value != NOT_ANSWERED
        }
        return cls(
            said=said.get("decision", "by number"),
            approve=said.get("approve", ""),
            reject=said.get("reject", ""),
            flags=flags,
            edits={int(edit["number"]): edit["text"] for edit in said.get("edits", [])},
            reason=said.get("reason", ""),
            reviewer=reviewer,
        )


class Seen(BaseModel):
    """What the form showed."""

    model_config = ConfigDict(frozen=True)

    waited: dict[int, str]
    """Number → sha256 of each change that waited then."""
    shown: tuple[int, ...] = ()
    """The numbers on the page."""

    @classmethod
    def of(cls, waiting: Mapping[int, Change], shown: Collection[int]) -> "Seen":
        """What a form over these changes shows."""
        hashes = {number: change.sha256 for number, change in waiting.items()}
        return cls(waited=hashes, shown=tuple(shown))


class Meant(BaseModel):
    """What answers come to."""

    model_config = ConfigDict(frozen=True)

    approve: tuple[int, ...] = ()
    reject: tuple[int, ...] = ()
    edits: dict[int, str] = {}
    answers: dict[int, Answer] = {}

    @property
    def is_nothing(self) -> bool:
        """Whether it decides nothing."""
        return not self.approve and not self.reject


class Carried(BaseModel):
    """What carrying out a form did, by number."""

    model_config = ConfigDict(frozen=True)

    dream_id: str
    store_name: str
    store_version: int | None = None
    """The version it made; None when nothing was written."""
    reviewer: str
    committed: tuple[int, ...] = ()
    noted: tuple[int, ...] = ()
    """Of `committed`, those that write nothing by their nature."""
    rejected: tuple[int, ...] = ()
    refused: dict[int, str] = {}
    """Approved, and not to be applied any more: why."""
    overtaken: dict[int, str] = {}
    """Decided or expired before this form came: how."""
    still_held: tuple[int, ...] = ()

    def result(self, report: DreamReport) -> ReviewResult:
        """The same by the ids of the changes."""
        names = {number: change.change_id for number, change in _numbered(report).items()}
        return ReviewResult(
            dream_id=self.dream_id,
            store_name=self.store_name,
            store_version=self.store_version,
            committed=tuple(names[number] for number in self.committed),
            noted=tuple(names[number] for number in self.noted),
            rejected=tuple(names[number] for number in self.rejected),
            refused={names[number]: why for number, why in self.refused.items()},
            still_held=len(self.still_held),
        )


def meant(answers: Answers, seen: Seen, changes: Mapping[int, Change]) -> Meant:
    """What the answers come to, over all numbered changes of the dream.

    Raises:
        UsageError: they name what is not there, contradict one another, or lack a reason.
    """
    flags = {number for number in seen.waited if number in changes and changes[number].op == "flag"}
    plain = [number for number in seen.waited if number in changes and number not in flags]
    named = {
        word: set(picked(text, changes, among=[*plain, *flags], shown=seen.shown))
        for word, text in (("approve", answers.approve), ("reject", answers.reject))
    }
    own = {*answers.edits, *answers.flags}
    _check_numbers(own, changes)
    approved, rejected = named["approve"] | own, named["reject"]
    _check_sense(answers, approved, rejected)
    if answers.said == "approve all":
        approved |= set(plain) - rejected
    if answers.said == "reject all":
        rejected |= {*plain, *flags} - approved
    if rejected and not answers.reason.strip():
        msg = "A rejection needs a reason: later dreams are shown it. Fill in the reason."
        raise UsageError(msg)
    resolve: dict[int, Answer] = {number: "edit" for number in answers.edits if changes[number].op == "flag"}
    return Meant(
        approve=tuple(sorted(approved)),
        reject=tuple(sorted(rejected)),
        edits=answers.edits,
        answers=answers.flags | resolve,
    )


def carry_out(
    state: State, dream_id: str, answers: Answers, seen: Seen, *, scan: Scan | None = None
) -> Carried:
    """Approve and commit, then reject, as the form says.

    Raises:
        UsageError: the form is wrong, or a change was edited since it was shown; nothing was decided.
        ConflictError: others kept committing to the store; what this form approves was not written.
        StoreError: what was approved breaks an invariant, or that or the reason holds a secret; nothing was decided.
    """
    told = meant(answers, seen, _numbered(state.dream(dream_id)))
    approved = _insisting(lambda: _approve(state, dream_id, answers, seen, told, scan))
    try:
        rejected = _insisting(lambda: _reject(state, dream_id, answers, told))
    except (ConflictError, NotApprovedError):
        rejected = _nothing(
            state, dream_id
        )  # what is approved stands: who decided otherwise, and what waits, is told
    return _carried(state, dream_id, answers, told, approved, rejected)


def what_was_done(carried: Carried) -> list[str]:
    """What was done, in lines that hold numbers and names and nothing of a session."""
    written = tuple(number for number in carried.committed if number not in carried.noted)
    lines: list[str] = []
    if written:
        lines.append(f"Committed {ranges(written)} as version {carried.store_version} of the store.")
    if carried.noted:
        lines.append(f"Noted {ranges(carried.noted)}: nothing to write.")
    if carried.rejected:
        lines.append(f"Rejected {ranges(carried.rejected)}; later dreams do not propose them again.")
    lines.extend(f"{number} was not applied: {why}" for number, why in sorted(carried.refused.items()))
    lines.extend(f"{number} was {how}" for number, how in sorted(carried.overtaken.items()))
    if carried.still_held:
        lines.append(f"{len(carried.still_held)} still held: {ranges(carried.still_held)}.")
    return lines


def _check_numbers(numbers: Collection[int], changes: Mapping[int, Change]) -> None:
    strange = sorted(set(numbers) - changes.keys())
    if strange:
        msg = f"{strange[0]} is edited or answered and is no change of this dream: it has {len(changes)}, numbered from 1."
        raise UsageError(msg)


def _check_sense(answers: Answers, approved: Collection[int], rejected: Collection[int]) -> None:
    both = sorted(set(approved) & set(rejected))
    if both:
        msg = f"{ranges(both)} is both approved and rejected. Name it once."
        raise UsageError(msg)
    if answers.said == "leave all" and (approved or rejected):
        some = ranges(sorted({*approved, *rejected}))
        msg = f"The form leaves all as it is and yet decides on {some}. Choose `by number`, or take the numbers out."
        raise UsageError(msg)


def _approve(
    state: State, dream_id: str, answers: Answers, seen: Seen, told: Meant, scan: Scan | None
) -> ReviewResult:
    """Commit what waits still."""
    changes = _numbered(state.dream(dream_id))
    waits = [number for number in told.approve if changes[number].status in OPEN]
    if not waits:
        return _nothing(state, dream_id)
    mine = {one.change_id for one in state.decisions(dream_id) if one.reviewer == answers.reviewer}
    # Approved by this reviewer and not committed: killed in between. It is committed as it was approved.
    begun = {one for one in waits if changes[one].status == "approved" and changes[one].change_id in mine}
    fresh = [one for one in waits if one not in begun]
    _check_seen({one: changes[one] for one in fresh}, seen)
    return approve(
        state,
        dream_id,
        reviewer=answers.reviewer,
        only=[str(one) for one in waits],
        edits={str(one): told.edits[one] for one in fresh if one in told.edits},
        resolve={str(one): told.answers[one] for one in fresh if one in told.answers},
        reason=answers.reason,
        scan=scan,
    )


def _reject(state: State, dream_id: str, answers: Answers, told: Meant) -> ReviewResult:
    changes = _numbered(state.dream(dream_id))
    only = [str(one) for one in told.reject if changes[one].status == "held"]
    if not only:
        return _nothing(state, dream_id)
    return reject(state, dream_id, reviewer=answers.reviewer, reason=answers.reason, only=only)


def _nothing(state: State, dream_id: str) -> ReviewResult:
    name = state.dream(dream_id).dream.store_name
    return ReviewResult(dream_id=dream_id, store_name=name, store_version=None)


def _check_seen(changes: Mapping[int, Change], seen: Seen) -> None:
    """Nobody approves what they were not shown."""
    others = [number for number, change in changes.items() if seen.waited.get(number) != change.sha256]
    if others:
        msg = f"{ranges(others)} is not what this form showed: it was edited since. Look at it again."
        raise UsageError(msg)


def _insisting(decide: Callable[[], ReviewResult]) -> ReviewResult:
    for left in reversed(range(_TRIES)):
        try:
            return decide()
        except (ConflictError, NotApprovedError):
            if not left:
                raise
    raise AssertionError  # the last try returns or raises


def _carried(
    state: State, dream_id: str, answers: Answers, told: Meant, approved: ReviewResult, rejected: ReviewResult
) -> Carried:
    report = state.dream(dream_id)
    changes = _numbered(report)
    by = {decision.change_id: decision for decision in state.decisions(dream_id)}

    def of(ids: Collection[str]) -> tuple[int, ...]:
        return tuple(number for number, change in changes.items() if change.change_id in ids)

    refused = {of([name])[0]: why for name, why in approved.refused.items()}
    ours = {*of(approved.committed), *of(rejected.rejected), *refused}
    over = {
        *(number for number in told.approve if changes[number].status not in OPEN),
        *(number for number in told.reject if changes[number].status != "held"),
    }
    return Carried(
        dream_id=dream_id,
        store_name=report.dream.store_name,
        store_version=approved.store_version,
        reviewer=answers.reviewer,
        committed=of(approved.committed),
        noted=of(approved.noted),
        rejected=of(rejected.rejected),
        refused=refused,
        overtaken={one: _ended(changes[one], by.get(changes[one].change_id)) for one in sorted(over - ours)},
        still_held=tuple(number for number, change in changes.items() if change.status in OPEN),
    )


def _ended(change: Change, decision: Decision | None) -> str:
    who = f" by {decision.reviewer} at {decision.decided_at:%Y-%m-%d %H:%M} UTC" if decision else ""
    why = f": {change.status_reason}" if change.status_reason and not decision else ""
    return f"{change.status} already{who}{why}"


def _numbered(report: DreamReport) -> dict[int, Change]:
    return dict(enumerate(report.changes, 1))
