"""The `claude` engine: a model reads sessions and judges claims, and code takes none of it on trust.

Quotes are looked up, ids must be among those shown, edits must keep what they edit. What does not pass
is dropped and counted, never repaired. The engine asks through a callable, so it knows no model API.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Protocol, TypeVar

from pydantic import BaseModel

from agentflows.change import Observation, Pattern, Quote, Refusal
from agentflows.dream.cards import entry_cards, nomination_card, pair_card, pattern_card
from agentflows.dream.case import Case
from agentflows.dream.digest import digest
from agentflows.dream.engine import Hint, Nomination, Proposal, Verdict
from agentflows.dream.marks import fence_for
from agentflows.dream.packing import names_day, packed, shown_group
from agentflows.dream.quotes import resolve_quote
from agentflows.dream.replies import (
    Lesson,
    PairsReply,
    PatternReply,
    Said,
    SessionReply,
    TidyReply,
    Unfit,
    pattern_proposal,
    tidying_proposal,
)
from agentflows.dream.verdicts import RefuteReply, case_card, ruling
from agentflows.errors import CanaryError, ModelOutputError
from agentflows.memory import Entry
from agentflows.prompts import prompt_sha256, render
from agentflows.session import Session

T = TypeVar("T", bound=BaseModel)
Value_co = TypeVar("Value_co", covariant=True)
Item = TypeVar("Item")
Found = TypeVar("Found")

PROMPTS = (
    "dream_extract",
    "dream_instructions",
    "dream_material",
    "dream_propose",
    "dream_prune",
    "dream_refute",
    "dream_same",
    "dream_system",
)
READING = ("dream_extract", "dream_material", "dream_system")
PAIRS_PER_CALL = 20
NOMINATIONS_PER_CALL = 12
MAX_CLAIM_CHARS = 600
MAX_NAME_CHARS = 80

_EXTRACT_TOKENS = 6_000
_SAME_TOKENS = 2_500
_PROPOSE_TOKENS = 3_000
_PRUNE_TOKENS = 6_000
_REFUTE_TOKENS = 4_000


class Answer(Protocol[Value_co]):
    """What comes back from a model, as far as a dream cares."""

    @property
    def value(self) -> Value_co:
        """The reply, already valid for the schema asked for."""
        ...


class Ask(Protocol):
    """Asks a model for one structured reply.

    Raises `ModelOutputError` for a reply that is refused, cut short or malformed, `EndpointError` and
    `BudgetError` where asking cannot go on.
    """

    def __call__(
        self, *, system: Sequence[str], user: Sequence[str], schema: type[T], max_tokens: int, purpose: str
    ) -> Answer[T]:
        """Ask once. `system` stays the same from call to call, so that it can be cached."""
        ...


class JudgedEngine:
    """An `Engine` whose judgement is a model's.

    A reply that cannot be used raises `ModelOutputError` from every method, so that whoever dreams says
    what was not read or judged; "nothing" is only ever what the model said.

    Safe to use from many threads if `ask` is. `concurrency` is how many questions one call of `same` or
    `prune` asks at once.
    """

    name = "claude/2"

    def __init__(  # noqa: PLR0913 - each is a setting, given by keyword
        self,
        ask: Ask,
        *,
        model: str,
        today: date,
        max_observations: int = 8,
        concurrency: int = 1,
        on_drop: Callable[[Refusal], None] | None = None,
        judge: tuple[str, Ask] | None = None,
    ) -> None:
        """`judge` is the model that tries changes, by name, and how to ask it; by default `model` does it too."""
        self.model = model
        self.judge, self.ask_judge = judge or (model, ask)
        self.prompt_sha256 = prompt_sha256(*PROMPTS)
        self.reading_sha256 = prompt_sha256(*READING)
        self.dropped: list[Refusal] = []
        """What the model said and code did not let through, in the order its answers came."""
        self.ask = ask
        """How it asks; what tries changes is asked with `ask_judge`."""
        self._today = today
        self._max_observations = max_observations
        self._concurrency = concurrency
        self._on_drop = on_drop

    def __repr__(self) -> str:
        """Engine and model."""
        return f"JudgedEngine({self.name}, {self.model})"

    # -- sessions ----------------------------------------------------------------------------------

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        """What this one session taught. A session with nothing to show is not asked about.

        Raises:
            ModelOutputError: the reply is unusable: the session counts as not read.
        """
        page = digest(session, hints)
        if not page.shown:
            return []
        reply = self.ask(
            system=[render("dream_system"), render("dream_extract", limit=str(self._max_observations))],
            user=[_material(page.text)],
            schema=SessionReply,
            max_tokens=_EXTRACT_TOKENS,
            purpose="extract",
        ).value
        tainted = [quote for said in reply.suspicious if (quote := self._suspicion(session, said))]
        observations: list[Observation] = []
        for number, lesson in enumerate(reply.observations):
            if number >= self._max_observations:
                self._drop("too_many", f"it is number {number + 1}", lesson.claim, session)
            elif found := self._observation(session, lesson, tainted):
                observations.append(found)
        return observations

    def _observation(self, session: Session, lesson: Lesson, tainted: list[Quote]) -> Observation | None:
        """The lesson with the quotes that really stand in the session; None when none does."""
        problem = _malformed(lesson)
        if problem:
            self._drop("form", problem, lesson.claim, session)
            return None
        quotes: list[Quote] = []
        for said in lesson.quotes:
            quote = resolve_quote(session, said.seq, said.text)
            if quote is None:
                reason = f"not found as evidence in #{said.seq}: {said.text[:120]!r}"
                self._drop("quote_verbatim", reason, lesson.claim, session)
            elif any(_touch(quote, order) for order in tainted):
                reason = f"#{said.seq} tries to give orders: {said.text[:120]!r}"
                self._drop("injection", reason, lesson.claim, session)
            elif quote not in quotes:
                quotes.append(quote)
        if not quotes:
            self._drop("no_evidence", "none of its quotes is evidence", lesson.claim, session)
            return None
        return _observation(session, lesson, quotes)

    def _suspicion(self, session: Session, said: Said) -> Quote | None:
        """Where the session gives orders, as reported by the model; counted, and nothing there is evidence."""
        quote = resolve_quote(session, said.seq, said.text)
        if quote is None or (quote.kind == "user" and quote.trust == 3):
            # what its user asks for is what a session is about; and hiding a quote must take a real place
            return None
        self._drop("injection", f"#{said.seq} tries to give orders: {said.text[:120]!r}", "", session)
        return quote

    # -- patterns ----------------------------------------------------------------------------------

    def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        """Whether both sides say the same. A pair without one clear verdict counts as different.

        Raises:
            ModelOutputError: a reply is unusable.
        """
        return self._by_parts(self._same, packed(pairs, _pair_text, most=PAIRS_PER_CALL))

    def _same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        cards = [pair_card(number, *pair) for number, pair in enumerate(pairs, start=1)]
        reply = self.ask(
            system=[render("dream_system"), render("dream_same")],
            user=[_material("\n\n".join(cards))],
            schema=PairsReply,
            max_tokens=_SAME_TOKENS,
            purpose="same",
        ).value
        verdicts: list[bool] = []
        for number, (first, second) in enumerate(pairs, start=1):
            said = {verdict.same for verdict in reply.pairs if verdict.pair == number}
            if len(said) != 1:
                found = "two verdicts" if said else "no verdict"
                self._drop("no_verdict", f"{found} on: {second.claim[:120]!r}", first.claim)
            verdicts.append(said == {True})
        return verdicts

    def propose(self, pattern: Pattern, entries: Sequence[Entry], instructions: str) -> Proposal | None:
        """What `pattern` means for the store, given the entries nearest to it; None for nothing.

        Raises:
            ModelOutputError: the reply is unusable.
        """
        told = (pattern.claim, pattern.when, pattern.when_not, pattern.value)
        today = self._on(names_day(*told, *(entry.text for entry in entries)))
        reply = self.ask(
            system=_steered("dream_propose", instructions),
            user=[_material(f"{today}{pattern_card(pattern)}\n\n{entry_cards(entries)}")],
            schema=PatternReply,
            max_tokens=_PROPOSE_TOKENS,
            purpose="propose",
        ).value
        found = pattern_proposal(reply, entries)
        if isinstance(found, Unfit):
            self._drop(found.gate, f"`{reply.op}`: {found.reason}", pattern.claim, key=pattern.key)
            return None
        return found

    # -- the store's own entries -------------------------------------------------------------------

    def prune(self, nominations: Sequence[Nomination], instructions: str) -> list[Proposal]:
        """Merges, retirements and flags among the store's own entries, in the order of the nominations.

        Raises:
            ModelOutputError: a reply is unusable.
        """
        shown = [(place, shown_group(nomination)) for place, nomination in enumerate(nominations)]
        # What names no day is asked apart, so that it need not be asked anew tomorrow.
        parts = [
            part
            for is_dated in (False, True)
            for part in packed(
                [one for one in shown if _is_dated(one) == is_dated], _group_text, most=NOMINATIONS_PER_CALL
            )
        ]
        found = self._by_parts(lambda part: self._prune(part, instructions), parts)
        return [proposal for _, proposal in sorted(found, key=lambda one: one[0])]

    def _prune(
        self, numbered: Sequence[tuple[int, Nomination]], instructions: str
    ) -> list[tuple[int, Proposal]]:
        nominations = [nomination for _, nomination in numbered]
        cards = [nomination_card(number, group) for number, group in enumerate(nominations, start=1)]
        today = self._on(any(map(_is_dated, numbered)))
        reply = self.ask(
            system=_steered("dream_prune", instructions),
            user=[_material(today + "\n\n".join(cards))],
            schema=TidyReply,
            max_tokens=_PRUNE_TOKENS,
            purpose="prune",
        ).value
        proposals: list[tuple[int, Proposal]] = []
        for tidying in sorted(reply.proposals, key=lambda tidying: tidying.nomination):
            known = 1 <= tidying.nomination <= len(nominations)
            # a group that was not shown holds no entries, so whatever ids are named are invented
            found = tidying_proposal(tidying, nominations[tidying.nomination - 1].entries if known else ())
            if isinstance(found, Unfit):
                self._drop(found.gate, f"`{tidying.op}`: {found.reason}", tidying.reason)
            else:
                proposals.append((numbered[tidying.nomination - 1][0], found))
        return proposals

    # -- the changes -------------------------------------------------------------------------------

    def refute(self, cases: Sequence[Case]) -> Iterator[Verdict]:
        """Each change in a context of its own, with its sources and without the reasons for it."""
        if self._concurrency == 1 or len(cases) < 2:
            yield from map(self._tried, cases)
            return
        with ThreadPoolExecutor(self._concurrency) as pool:
            yield from pool.map(self._tried, cases)

    def _tried(self, case: Case) -> Verdict:
        # what holds today depends on the day only where an entry goes; the rest need not be asked anew tomorrow
        today = self._on(case.change.op in {"retire", "supersede"})
        try:
            reply = self.ask_judge(
                system=[render("dream_system"), render("dream_refute")],
                user=[_material(f"{today}{case_card(case)}")],
                schema=RefuteReply,
                max_tokens=_REFUTE_TOKENS,
                purpose="refute",
            ).value
        except ModelOutputError as error:
            gate = "canary" if isinstance(error, CanaryError) else "model_output"
            return Verdict(upheld=False, gate=gate, reason=str(error))
        return ruling(reply, case)

    def _on(self, matters: bool) -> str:  # noqa: FBT001 - private
        """The day, where it matters: a question that does not hold it is the same tomorrow, and known."""
        return f"⟦today is {self._today:%Y-%m-%d}⟧\n\n" if matters else ""

    def _by_parts(
        self, ask: Callable[[Sequence[Item]], list[Found]], parts: Sequence[Sequence[Item]]
    ) -> list[Found]:
        """What `ask` says of each part, in their order."""
        if self._concurrency == 1 or len(parts) < 2:
            return [found for part in parts for found in ask(part)]
        with ThreadPoolExecutor(self._concurrency) as pool:
            return [found for answer in pool.map(ask, parts) for found in answer]

    def _drop(
        self, gate: str, reason: str, claim: str, session: Session | None = None, *, key: str = ""
    ) -> None:
        session_id = session.session_id if session else ""
        refusal = Refusal(
            gate=gate, reason=reason, claim=claim[:MAX_CLAIM_CHARS], session_id=session_id, key=key
        )
        self.dropped.append(refusal)
        if self._on_drop:
            self._on_drop(refusal)


def _steered(task: str, instructions: str) -> list[str]:
    """The system text of a task that the owner's instructions steer."""
    parts = [render("dream_system"), render(task)]
    if instructions.strip():
        parts.append(render("dream_instructions", instructions=instructions.strip()))
    return parts


def _pair_text(pair: tuple[Pattern, Pattern]) -> str:
    return pair_card(0, *pair)


def _group_text(numbered: tuple[int, Nomination]) -> str:
    return nomination_card(0, numbered[1])


def _is_dated(numbered: tuple[int, Nomination]) -> bool:
    return names_day(*(entry.text for entry in numbered[1].entries))


def _material(text: str) -> str:
    """The material between two lines it cannot hold."""
    material = text.strip("\n")
    return render("dream_material", fence=fence_for(material), material=material)


def _malformed(lesson: Lesson) -> str:
    """Why a lesson has no usable form; "" when it has."""
    for name in ("claim", "subject", "attribute"):
        if not getattr(lesson, name).strip():
            return f"its {name} is empty"
    names = {"subject": lesson.subject, "attribute": lesson.attribute, "scope": lesson.scope}
    sentences = {
        "claim": lesson.claim,
        "when": lesson.when,
        "when_not": lesson.when_not,
        "value": lesson.value,
    }
    limits = {**dict.fromkeys(names, MAX_NAME_CHARS), **dict.fromkeys(sentences, MAX_CLAIM_CHARS)}
    for name, text in {**names, **sentences}.items():
        if len(text) > limits[name]:
            return f"its {name} has {len(text)} characters; at most {limits[name]} are read"
    return ""


def _touch(quote: Quote, other: Quote) -> bool:
    """Whether two quotes of one session share a character."""
    return quote.seq == other.seq and quote.start < other.end and other.start < quote.end


def _observation(session: Session, lesson: Lesson, quotes: list[Quote]) -> Observation:
    """A lesson whose quotes were found, as the rest of the dream knows it."""
    typed = any(quote.kind == "user" and quote.trust == 3 for quote in quotes)
    said_at = [quote.at for quote in quotes if quote.at]
    return Observation(
        session_id=session.session_id,
        root_id=session.root_id,
        kind=lesson.kind,
        subject=_folded(lesson.subject),
        attribute=_folded(lesson.attribute),
        scope=_folded(lesson.scope),
        claim=_folded(lesson.claim),
        when=_folded(lesson.when),
        when_not=_folded(lesson.when_not),
        stance=lesson.stance,
        value=_folded(lesson.value),
        said_outright=lesson.said_outright and typed,
        quotes=tuple(quotes),
        at=max(said_at) if said_at else session.ended_at or session.started_at,
    )


def _folded(text: str) -> str:
    return " ".join(text.split())
