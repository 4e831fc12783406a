"""The digest: a session made short enough to read and exact enough to quote.

What users typed is kept whole, errors keep their message and the step that followed, calls become one
line, and long output is cut around the lines that matter. Everything shown stands word for word in the
turn whose number is in front of it; everything of ours, elisions first of all, stands in `⟦ ⟧` (see
`marks`), so that a quote can neither span a cut nor repeat something we added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from agentflows.dream.engine import Hint
from agentflows.dream.excerpt import excerpt
from agentflows.dream.focus import failures
from agentflows.dream.marks import mark, one_line
from agentflows.errors import DreamError
from agentflows.session import Session, Turn

CHARS_PER_TOKEN = 4
"""The estimate used everywhere in a dream where no tokeniser is at hand."""
SHARE = 0.15
"""A digest's budget as a share of the transcript, so that prompt and digest stay under a quarter."""
FLOOR_TOKENS = 1_000
"""A short session may be shown nearly whole: there is little to save."""
CEILING_TOKENS = 20_000
MIN_BUDGET_TOKENS = 200
"""Less than this holds no header and no turn."""

_WHOLE = 20_000
_ONE_FAILURE, _MORE_FAILURES = 600, 200
"""Characters of an error that names one failure, and for each further one."""
_SEVERAL = 1_200
"""Characters for the first few failures of a run, which are worth more than what the agent said in passing."""
_FIX_REACH = 5
"""How many turns after an error its fix is looked for."""


@dataclass(frozen=True, slots=True)
class Digest:
    """One session as a model reads it."""

    text: str
    turns: int
    shown: int
    """Turns of which any text is shown."""
    raw_tokens: int
    """Of all turns if they were sent whole, estimated."""

    @property
    def tokens(self) -> int:
        """Of `text`, estimated."""
        return _tokens(len(self.text))


class _Step(NamedTuple):
    """One wish, in order of worth: show turn `at` with up to `chars` characters of its text."""

    at: int
    chars: int


def digest(session: Session, hints: Sequence[Hint] = (), *, budget_tokens: int | None = None) -> Digest:
    """Render what is worth reading of a session, within `budget_tokens` (default: `default_budget`).

    The same session, hints and budget always give the same text.

    Raises:
        DreamError: the budget is below `MIN_BUDGET_TOKENS`.
    """
    budget = default_budget(session) if budget_tokens is None else budget_tokens
    if budget < MIN_BUDGET_TOKENS:
        msg = f"A digest needs at least {MIN_BUDGET_TOKENS} tokens, found {budget}. Raise the budget."
        raise DreamError(msg)
    page = _Page(session, hints)
    limits = page.choose(budget * CHARS_PER_TOKEN)
    text = page.render(limits)
    raw = sum(len(turn.text) for turn in session.turns)
    return Digest(text, len(session.turns), len(limits), _tokens(raw))


def default_budget(session: Session) -> int:
    """Tokens a digest may have: a share of the transcript within a floor and a ceiling."""
    return digest_tokens(sum(len(turn.text) for turn in session.turns))


def digest_tokens(chars: int) -> int:
    """Tokens the digest of a transcript of so many characters may have."""
    return max(FLOOR_TOKENS, min(CEILING_TOKENS, int(_tokens(chars) * SHARE)))


def _tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)


class _Page:
    """A session laid out for its digest: which turns exist for it, and what each looks like at a length.

    Reasoning is no part of it: it is no evidence, and the header says that it is left out.
    """

    def __init__(self, session: Session, hints: Sequence[Hint]) -> None:
        self.session = session
        self.turns = [turn for turn in session.turns if turn.kind != "thinking" and _says_something(turn)]
        self.hints: dict[int, list[Hint]] = {}
        for hint in sorted(hints, key=lambda hint: (hint.seq, hint.signal, hint.note)):
            self.hints.setdefault(hint.seq, []).append(hint)
        calls = {turn.tool_use_id: at for at, turn in enumerate(self.turns) if _is_call(turn)}
        self.call_of = {
            at: calls[turn.tool_use_id]
            for at, turn in enumerate(self.turns)
            if turn.kind == "tool_result" and calls.get(turn.tool_use_id, at) < at
        }
        self.result_of = {call: result for result, call in self.call_of.items()}
        self._cache: dict[_Step, str] = {}
        self._failing = cache(failures)

    # -- what to show ------------------------------------------------------------------------------

    def choose(self, budget: int) -> dict[int, int]:
        """How many characters to show of which turn: every wish that fits, best first."""
        taken: list[tuple[_Step, int]] = []
        limits: dict[int, int] = {}
        room = budget - len(self.render({}))
        for step in self._wishes():
            before = limits.get(step.at, 0)
            if step.chars <= before:
                continue
            had = len(self._turn_text(_Step(step.at, before))) + 1 if before else 0
            cost = len(self._turn_text(step)) + 1 - had
            if cost <= room:
                room -= cost
                limits[step.at] = step.chars
                taken.append((step, before))
        # elision marks between turns depend on what is shown: what they cost is given back here
        while taken and len(self.render(limits)) > budget:
            step, before = taken.pop()
            if before:
                limits[step.at] = before
            else:
                del limits[step.at]
        return limits

    def _wishes(self) -> Iterator[_Step]:
        users = [at for at, turn in enumerate(self.turns) if turn.kind == "user" and turn.trust == 3]
        hinted = [at for at, turn in enumerate(self.turns) if turn.seq in self.hints]
        errors = [at for at, turn in enumerate(self.turns) if turn.is_error]
        agents = [at for at, turn in enumerate(self.turns) if turn.kind == "agent" and not turn.thread]
        calls = [at for at, turn in enumerate(self.turns) if _is_call(turn)]
        answered = [at for at in agents if at + 1 in set(users)]
        firsts = self._firsts(errors)
        yield from (_Step(at, 400) for at in users)
        yield from (_Step(at, 300) for at in hinted)
        yield from (_Step(at, 200) for found in hinted for at in self._around(found))
        yield from (_Step(at, 3_000) for at in users)
        yield from (_Step(at, 300 if first else 80) for at, first in firsts)
        yield from (_Step(at, 160) for found in errors for at in self._around(found))
        yield from (_Step(at, 800) for at in agents[-1:])
        yield from (_Step(at, 300) for at in answered)
        yield from (_Step(at, _WHOLE) for at in users)
        yield from (_Step(at, min(self._every_failure(at), _SEVERAL)) for at, first in firsts if first)
        yield from (_Step(at, 600) for at, turn in enumerate(self.turns) if turn.kind == "summary")
        yield from (_Step(at, 160) for at in agents)
        yield from (_Step(at, 120) for at in calls)
        yield from (_Step(at, 1_000) for at in hinted)
        yield from (_Step(at, self._every_failure(at)) for at, first in firsts if first)
        yield from (_Step(at, 160) for at, turn in enumerate(self.turns) if turn.kind in {"user", "agent"})

    def _around(self, at: int) -> list[int]:
        """The call that a result answers, and what was said and done next."""
        turn = self.turns[at]
        after = [
            later
            for later in range(at + 1, min(at + 1 + _FIX_REACH, len(self.turns)))
            if self.turns[later].kind in {"agent", "tool_call"} and self.turns[later].thread == turn.thread
        ]
        call = [self.call_of[at]] if at in self.call_of else []
        return call + (after[:2] if turn.kind == "tool_result" else [])

    def _firsts(self, indexes: Sequence[int]) -> list[tuple[int, bool]]:
        """Each index with whether it tells anything new: the tenth copy of an error teaches no more than the first.

        Runs of the same tests begin alike and may fail differently, so a new failure in them is new too.
        """
        seen: set[str] = set()
        marked: list[tuple[int, bool]] = []
        for at in indexes:
            start = self.turns[at].text[:200]
            told = {start, *(failure.signature for failure in self._failing(self.turns[at].text))}
            marked.append((at, not told <= seen))
            seen |= told
        return marked

    def _every_failure(self, at: int) -> int:
        """Characters of an error that hold its start, its end and every distinct failure in it."""
        return _ONE_FAILURE + _MORE_FAILURES * max(0, len(self._failing(self.turns[at].text)) - 1)

    # -- how it looks ------------------------------------------------------------------------------

    def render(self, limits: dict[int, int]) -> str:
        """The header, the turns that `limits` names, and how much is left out between them."""
        lines = [self._header()]
        folded = {self.result_of[at] for at in limits if at in self.result_of} - limits.keys()
        gap = 0
        for at in range(len(self.turns)):
            if at in folded:
                continue
            if at not in limits:
                gap += 1
                continue
            lines += _gap(gap)
            gap = 0
            lines.append(self._turn_text(_Step(at, limits[at])) + self._outcome(at, folded))
        return "\n".join([*lines, *_gap(gap)]) + "\n"

    def _header(self) -> str:
        session = self.session
        thoughts = sum(turn.kind == "thinking" for turn in session.turns)
        facts = [
            f"session of {_turns(len(session.turns))}",
            f"{session.started_at:%Y-%m-%d %H:%M}" if session.started_at else "undated",
            f"format {one_line(session.format, 40)}",
            f"project {one_line(session.project, 80)}" if session.project else "",
            f"task {one_line(session.task, 80)}" if session.task else "",
            self._verdict(),
            f"reasoning left out: {_turns(thoughts)}" if thoughts else "",
        ]
        return mark(" · ".join(fact for fact in facts if fact))

    def _verdict(self) -> str:
        outcome = self.session.outcome
        if outcome is None or outcome.verdict == "unknown":
            return ""
        failed = [one_line(check.name, 60) for check in outcome.checks if not check.passed][:6]
        detail = f", failed checks: {', '.join(failed)}" if failed else ""
        return f"outcome {outcome.verdict} by {one_line(outcome.source, 40)}{detail}"

    def _turn_text(self, step: _Step) -> str:
        """A turn under its label; kept, since choosing asks for the same ones again and again."""
        if step not in self._cache:
            turn = self.turns[step.at]
            note = next((hint.note for hint in self.hints.get(turn.seq, []) if hint.note), "")
            self._cache[step] = (
                f"{mark(self._label(turn))} {excerpt(turn, step.chars, note, failing=self._failing)}"
            )
        return self._cache[step]

    def _label(self, turn: Turn) -> str:
        kind = {"tool_call": "call", "tool_result": "error" if turn.is_error else "result"}
        parts = [f"#{turn.seq}", kind.get(turn.kind, turn.kind)]
        if turn.tool:
            parts.append(one_line(turn.tool, 60))
        parts.append(f"t{turn.trust}")
        if turn.thread:
            parts.append(f"thread {one_line(turn.thread, 12)}")
        hints = self.hints.get(turn.seq, [])
        parts += [f"· look: {hint.signal} {one_line(hint.note, 100)}".rstrip() for hint in hints]
        return " ".join(parts)

    def _outcome(self, at: int, folded: set[int]) -> str:
        """What a call's result was, where the result itself is not shown."""
        result = self.result_of.get(at, -1)
        if result not in folded:
            return ""
        turn = self.turns[result]
        return " " + mark(f"→ {'error' if turn.is_error else 'ok'}, {len(turn.text):,} chars left out")


def _is_call(turn: Turn) -> bool:
    return turn.kind == "tool_call"


def _says_something(turn: Turn) -> bool:
    """A blank message is nothing to leave out; that a tool said nothing is worth knowing."""
    return turn.kind in {"tool_call", "tool_result"} or bool(turn.text.strip())


def _turns(number: int) -> str:
    return f"{number} turn{'' if number == 1 else 's'}"


def _gap(turns: int) -> list[str]:
    return [mark(f"… {_turns(turns)} left out")] if turns else []
