"""The grader: judges frozen files against criteria through a model, in a context that holds nothing of the writer.

What it is given is all it can see: the task, the rubric and the frozen files. There is no parameter for a transcript,
a prompt or earlier feedback. Code believes no word of its reply but what it can check: a verdict without a standing
quote is `cannot_tell`, and the verdict on the whole is computed elsewhere, from the criteria.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from agentflows.errors import ModelOutputError, StoppedError
from agentflows.evaluation import CriterionResult, Evidence, Met
from agentflows.marks import fence_for, one_line
from agentflows.outcome.frozen import Frozen
from agentflows.outcome.material import Lines, material
from agentflows.outcome.quoting import Claimed, find_quotes
from agentflows.prompts import prompt_sha256, render
from agentflows.rubric import Criterion, Rubric

T = TypeVar("T", bound=BaseModel)
Value_co = TypeVar("Value_co", covariant=True)

PROMPTS = ("outcome_grader", "outcome_material", "outcome_criteria")
_REPLY_TOKENS = 1_000
_TOKENS_PER_CRITERION = 700
_MOST_READS = 20
_WORDS_CHARS = 1_000
Calls = Literal["all", "each"]
"""One call for all criteria, or one for each: dearer, and no criterion colours another."""


class Answer(Protocol[Value_co]):
    """What comes back from a model, as far as a grading cares."""

    @property
    def value(self) -> Value_co:
        """The reply, already valid for the schema asked for."""
        ...


class Ask(Protocol):
    """Asks a model for one structured reply.

    Raises `ModelOutputError` for a reply that is refused, cut short or malformed, `EndpointError` and `BudgetError`
    where asking cannot go on.
    """

    def __call__(
        self,
        *,
        system: Sequence[str],
        user: Sequence[str],
        schema: type[T],
        max_tokens: int,
        purpose: str,
        usable: Callable[[T], bool],
    ) -> Answer[T]:
        """Ask once. What stays the same from call to call comes first.

        A reply for which `usable` says no is returned too, and must not be remembered: the next asking is a new one.
        """
        ...


class Reply(BaseModel):
    """Base of all replies: every field is asked for, and no other is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Read(Reply):
    """Lines of a file the grader wants to see."""

    path: str
    first_line: int
    last_line: int


class Quoted(Reply):
    """Words and the file they are claimed to stand in."""

    path: str
    text: str


class Judged(Reply):
    """One criterion: the reason and the evidence come before the verdict."""

    criterion: str
    reason: str
    quotes: list[Quoted]
    verdict: Met
    needed: str


class GradeReply(Reply):
    """What one grader says."""

    reads: list[Read]
    applies_reason: str
    applies: bool
    criteria: list[Judged]


@dataclass(frozen=True, slots=True)
class Grading:
    """What the judged criteria came to."""

    results: tuple[CriterionResult, ...]
    applies: bool = True
    why_not: str = ""


@dataclass(frozen=True)
class Grader:
    """One or more graders over the same frozen files.

    With several (a panel) each criterion goes by strict majority; without one it is `cannot_tell`.
    """

    asks: Sequence[Ask]
    """One for each grader of the panel; they may be of different models."""
    calls: Calls = "all"
    max_tokens: int = 50_000
    """Of deliverables shown in one call."""
    reading_rounds: int = 2
    """How often a grader may ask for more lines of long files."""
    attempts: int = 3
    """Askings for one usable reply. Beyond that it is a grader error."""
    stop: Callable[[], str] = str
    """Asked before each asking; a text is the reason to end without a verdict."""
    prompt_sha256: str = field(default_factory=lambda: prompt_sha256(*PROMPTS))

    def grade(self, task: str, rubric: Rubric, criteria: Sequence[Criterion], frozen: Frozen) -> Grading:
        """Judge the criteria.

        Raises:
            ModelOutputError: no usable reply came in `attempts` askings. It is no verdict.
            EndpointError: the model cannot be reached.
            BudgetError: the purse does not allow it.
            StoppedError: there was a reason to end it.
        """
        groups = [list(criteria)] if self.calls == "all" else [[one] for one in criteria]
        panel = [
            [self._ask_about(number, task, rubric, group, frozen) for group in groups]
            for number in range(len(self.asks))
        ]
        replies = [reply for grader in panel for reply in grader]
        results = [
            _decide([_result(one, _of(grader, one), rubric, frozen) for grader in panel]) for one in criteria
        ]
        refusing = [reply for reply in replies if not reply.applies]
        applies = 2 * len(refusing) <= len(replies) or any(item.met == "met" for item in results)
        why = refusing[0].applies_reason if refusing and not applies else ""
        return Grading(tuple(results), applies, why)

    def _ask_about(
        self, number: int, task: str, rubric: Rubric, criteria: Sequence[Criterion], frozen: Frozen
    ) -> GradeReply:
        """One grader's reply about some criteria; asks again for more lines, and where a reply leaves some out."""
        shown: list[Lines] = []
        complaint, rounds, failures = "", self.reading_rounds, 0
        while True:
            try:
                reply = self._once(number, task, rubric, criteria, frozen, (shown, complaint, rounds))
            except ModelOutputError:
                failures += 1
                if failures >= self.attempts:
                    raise
                continue
            if reply.reads and rounds:
                shown += [Lines(one.path, one.first_line, one.last_line) for one in reply.reads[:_MOST_READS]]
                rounds -= 1
                continue
            complaint = _incomplete(reply, criteria)
            if not complaint:
                return reply
            failures += 1
            if failures >= self.attempts:
                msg = f"The grader's reply cannot be used, {failures} times in a row: {complaint}"
                raise ModelOutputError(msg)

    def _once(
        self,
        number: int,
        task: str,
        rubric: Rubric,
        criteria: Sequence[Criterion],
        frozen: Frozen,
        state: tuple[Sequence[Lines], str, int],
    ) -> GradeReply:
        if why := self.stop():
            raise StoppedError(why)
        asked, complaint, rounds = state
        body = material(frozen, max_tokens=self.max_tokens, asked=asked)
        return (
            self.asks[number](
                system=[render("outcome_grader")],
                user=[
                    render(
                        "outcome_material",
                        task=task.strip(),
                        guidance=rubric.guidance.strip() or "None.",
                        fence=fence_for(body),
                        material=body,
                    ),
                    _question(number, len(self.asks), criteria, complaint, rounds),
                ],
                schema=GradeReply,
                max_tokens=_REPLY_TOKENS + _TOKENS_PER_CRITERION * len(criteria),
                purpose="grade",
                usable=lambda reply: bool(reply.reads and rounds) or not _incomplete(reply, criteria),
            )
        ).value


def _question(number: int, graders: int, criteria: Sequence[Criterion], complaint: str, rounds: int) -> str:
    # graders of a panel read the criteria in another order, so that none is always judged first
    turned = [*criteria[number % len(criteria) :], *criteria[: number % len(criteria)]]
    seat = (
        f"You are grader {number + 1} of {graders}, and know nothing of the others.\n" if graders > 1 else ""
    )
    reading = "" if rounds else "You have read enough: leave `reads` empty and judge by what you have seen.\n"
    again = f"Your last reply could not be used: {complaint}\n" if complaint else ""
    return render(
        "outcome_criteria", criteria="\n".join(map(_line, turned)), reading=seat + reading, complaint=again
    ).strip()


def _line(criterion: Criterion) -> str:
    wanted = f"\n  Evidence wanted: {criterion.evidence}" if criterion.evidence else ""
    return f"- `{criterion.criterion_id}`: {criterion.text}{wanted}"


def _incomplete(reply: GradeReply, criteria: Sequence[Criterion]) -> str:
    """What is wrong with the set of answers; "" when each criterion is answered once, or the rubric does not apply."""
    if not reply.applies and not reply.criteria:
        return ""
    wanted = {one.criterion_id for one in criteria}
    given = Counter(one.criterion for one in reply.criteria)
    wrong = [f"`{name}` is missing" for name in sorted(wanted - given.keys())]
    wrong += [f"`{one_line(name, 60)}` is no criterion" for name in sorted(given.keys() - wanted)]
    wrong += [f"`{name}` is answered {count} times" for name, count in given.items() if count > 1]
    return "; ".join(wrong[:10])


def _of(replies: Sequence[GradeReply], criterion: Criterion) -> Judged | None:
    found = [one for reply in replies for one in reply.criteria if one.criterion == criterion.criterion_id]
    return found[0] if found else None


def _result(criterion: Criterion, judged: Judged | None, rubric: Rubric, frozen: Frozen) -> CriterionResult:
    """One grader's word on one criterion, as far as its quotes carry it."""
    if judged is None:
        return _said(criterion, "cannot_tell", "The grader says that the rubric does not apply.", (), 0)
    claimed = [Claimed(one.path, one.text) for one in judged.quotes]
    evidence, refused = find_quotes(claimed, criterion, rubric, frozen)
    reason, needed = one_line(judged.reason, _WORDS_CHARS), one_line(judged.needed, _WORDS_CHARS)
    if judged.verdict == "met" and not evidence:
        why = "no quote was given" if not claimed else f"none of its {len(claimed)} quotes is evidence"
        reason = f"The grader said `met`, and {why}. It said: {reason}"
        return _said(criterion, "cannot_tell", reason, (), refused, _wanted(criterion))
    if judged.verdict == "unmet" and claimed and not evidence:
        reason = (
            f"The grader said `unmet`, and none of its {len(claimed)} quotes is evidence. It said: {reason}"
        )
        return _said(criterion, "cannot_tell", reason, (), refused, needed or _wanted(criterion))
    needed = needed or ("" if judged.verdict == "met" else _wanted(criterion))
    return _said(
        criterion, judged.verdict, reason, evidence, refused, "" if judged.verdict == "met" else needed
    )


def _wanted(criterion: Criterion) -> str:
    return f"Words in the files that show it{f': {criterion.evidence}' if criterion.evidence else '.'}"


def _said(
    criterion: Criterion,
    met: Met,
    reason: str,
    evidence: tuple[Evidence, ...],
    refused: int,
    needed: str = "",
) -> CriterionResult:
    return CriterionResult(
        criterion_id=criterion.criterion_id,
        met=met,
        judging="judge",
        reason=reason,
        evidence=evidence,
        needed=needed,
        refused=refused,
    )


def _decide(results: Sequence[CriterionResult]) -> CriterionResult:
    """The majority's result; with a tie, `cannot_tell` and what each side says."""
    if len(results) == 1:
        return results[0]
    votes = tuple(result.met for result in results)
    refused = sum(result.refused for result in results)
    winner, count = Counter(votes).most_common(1)[0]
    if 2 * count > len(votes):
        voices = [result for result in results if result.met == winner]
        evidence = tuple(dict.fromkeys(quote for voice in voices for quote in voice.evidence))
        return voices[0].model_copy(update={"votes": votes, "evidence": evidence, "refused": refused})
    sides: Mapping[str, str] = {result.met: result.reason for result in reversed(results)}
    reason = "The graders disagree. " + " ".join(f"{met}: {why}" for met, why in sorted(sides.items()))
    needed = next((result.needed for result in results if result.needed), "Evidence that settles it.")
    return results[0].model_copy(
        update={
            "met": "cannot_tell",
            "reason": reason,
            "needed": needed,
            "votes": votes,
            "refused": refused,
            "evidence": tuple(dict.fromkeys(quote for result in results for quote in result.evidence)),
        }
    )
