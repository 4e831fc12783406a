"""A person's word on the criteria that only a person can judge."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.errors import UsageError
from agentflows.evaluation import Deliverable, HumanVerdict, Outcome
from agentflows.home import Home
from agentflows.pursuing.request import OutcomeRequest
from agentflows.rubric import Criterion


class Asked(BaseModel):
    """What a person is asked about one outcome."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    criteria: tuple[Criterion, ...]
    """Those that still wait for a word."""
    human: tuple[str, ...] = ()
    """The ids of all that a person decides, those decided already too, in the rubric's order."""
    decided: tuple[HumanVerdict, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    folder: str = ""
    """Where the frozen files lie, to be read."""


def asked(home: Home, name: str) -> Asked:
    """What an outcome waits for.

    Raises:
        NotFoundError: there is no such outcome.
        UsageError: it waits for nobody.
    """
    outcome = home.state.outcome(name)
    if outcome.result != "waiting":
        msg = f"The outcome {outcome.outcome_id} is {outcome.result!r} and waits for nobody. See `outcome list`."
        raise UsageError(msg)
    request = OutcomeRequest.model_validate_json(home.state.outcome_request(outcome.outcome_id))
    attempt = outcome.attempts[-1]
    decided = tuple(home.state.verdicts(outcome.outcome_id, attempt.manifest_sha256))
    known = {one.criterion_id for one in decided}
    human = [one for one in request.rubric.criteria if one.judging == "human"]
    return Asked(
        outcome=outcome,
        criteria=tuple(one for one in human if one.criterion_id not in known),
        human=tuple(one.criterion_id for one in human),
        decided=decided,
        deliverables=attempt.deliverables,
        folder=str(home.settings.home_path / "outcomes" / outcome.outcome_id / str(attempt.iteration)),
    )


def decide(
    home: Home,
    name: str,
    met: Literal["met", "unmet"],
    *,
    criteria: Sequence[str] = (),
    reason: str = "",
    reviewer: str = "",
) -> Asked:
    """Say whether `human` criteria are met (all that still wait, unless some are named). Who said it is recorded.

    Nothing runs by this: resume the outcome when nothing waits any more.

    Raises:
        NotFoundError: there is no such outcome.
        UsageError: it waits for nobody; no such criterion is asked about; or `unmet` has no reason, which the writer
            needs in order to revise.
    """
    found = asked(home, name)
    wrong = [one for one in criteria if one not in found.human]
    if wrong:
        msg = f"No person is asked about {', '.join(map(repr, wrong))}. They are asked about: {', '.join(sorted(found.human))}."
        raise UsageError(msg)
    if met == "unmet" and not reason.strip():
        msg = "A criterion that is not met needs a reason: the writer is told it. Give one with --reason."
        raise UsageError(msg)
    actor = home.actor(reviewer)
    attempt = found.outcome.attempts[-1]
    for criterion_id in criteria or [one.criterion_id for one in found.criteria]:
        verdict = HumanVerdict(
            outcome_id=found.outcome.outcome_id,
            iteration=attempt.iteration,
            criterion_id=criterion_id,
            met=met,
            reason=home.redactor().redact(reason.strip()),
            reviewer=actor.name,
            decided_at=datetime.now(UTC).replace(tzinfo=None),
            manifest_sha256=attempt.manifest_sha256,
        )
        home.state.record_verdict(verdict, actor)
    return asked(home, name)
