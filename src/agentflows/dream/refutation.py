"""Refutation: every change that would write is tried against its full sources, and refused unless it holds.

Two judges, one after the other: code (`countering`), which sees what can be seen without understanding, and the
engine, which is shown the sources and the words, never why they were proposed. Whatever is not upheld by a clear
verdict is refused: the change stays in the report, with the reason, and the entries it named stay as they are.

Flags are not tried. A flag claims and writes nothing; it puts a question to a person, which no failure may silence.
"""

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, Refusal
from agentflows.dream.case import Case
from agentflows.dream.countering import counter_evidence
from agentflows.dream.engine import Engine, Verdict

MAX_REASON_CHARS = 600


class Tried(BaseModel):
    """What came of trying some changes."""

    model_config = ConfigDict(frozen=True)

    upheld: tuple[Change, ...]
    """As they were, flags among them."""
    refused: tuple[Change, ...]
    """With status and reason."""
    refusals: tuple[Refusal, ...]

    @property
    def count(self) -> int:
        """Changes that were tried."""
        return sum(change.op != "flag" for change in self.upheld) + len(self.refused)


def refute(
    changes: Sequence[Change],
    cases: Sequence[Case],
    engine: Engine,
    *,
    told: Callable[[int, int], None] = lambda _done, _count: None,
) -> Tried:
    """Try each change by its case. `told` hears of how many the engine has spoken, of how many.

    Gates: `refuted` (the sources speak against it, or do not carry it), `unjudged` (no clear verdict), `model_output`
    (the model's answer was unusable; a later run asks again), `canary` (the sources hold one: the question was not put).

    Raises:
        EndpointError, BudgetError: the judge cannot be asked now. Nothing is decided, and answers given stay known.
    """
    verdicts: dict[str, Verdict] = {}
    open_cases: list[Case] = []
    for change, case in zip(changes, cases, strict=True):
        if change.op == "flag":
            continue
        found = counter_evidence(case)
        if found:
            verdicts[change.change_id] = Verdict(upheld=False, gate="refuted", reason=found)
        else:
            open_cases.append(case)
    said: list[Verdict] = []
    for verdict in engine.refute(open_cases):
        said.append(verdict)
        told(len(said), len(open_cases))
    if len(said) == len(open_cases):
        verdicts |= {case.change.change_id: one for case, one in zip(open_cases, said, strict=True)}
    return _sorted_out(changes, verdicts)


def _sorted_out(changes: Sequence[Change], verdicts: dict[str, Verdict]) -> Tried:
    none = Verdict(upheld=False, gate="unjudged", reason="no verdict was given")
    upheld: list[Change] = []
    refused: list[Change] = []
    refusals: list[Refusal] = []
    for change in changes:
        verdict = verdicts.get(change.change_id, none)
        if change.op == "flag" or verdict.upheld:
            upheld.append(change)
            continue
        gate = verdict.gate or "unjudged"
        reason = f"{gate.replace('_', ' ')}: {verdict.reason or 'no reason was given'}"[:MAX_REASON_CHARS]
        refused.append(change.model_copy(update={"status": "refused", "status_reason": reason}))
        claim = (change.after or change.before or "")[:1_000]
        refusals.append(
            Refusal(
                gate=gate,
                reason=f"{change.op}: {verdict.reason}"[:MAX_REASON_CHARS],
                claim=claim,
                key=change.pattern_key,
            )
        )
    return Tried(upheld=tuple(upheld), refused=tuple(refused), refusals=tuple(refusals))
