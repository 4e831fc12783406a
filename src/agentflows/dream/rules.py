"""The rules engine: what can be found true in sessions with no key and no model.

It reads what is countable: errors and the step that got past them, users' own sentences, requests and
checks that come back, and, over the whole archive, what separates failure from success. It is
deterministic, costs nothing, and says what it cannot judge (`NOTES`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from agentflows.change import Observation, Pattern, Refusal
from agentflows.dream import proposals, pruning
from agentflows.dream.case import Case
from agentflows.dream.engine import Hint, Nomination, Proposal, Verdict
from agentflows.dream.errors_seen import errors_seen
from agentflows.dream.instructions import OUTSIDE, Understood, understood
from agentflows.dream.outcomes import outcome_patterns
from agentflows.dream.overlap import says_same
from agentflows.dream.said import said
from agentflows.dream.workflows import checks_before_commit
from agentflows.memory import Entry
from agentflows.session import Session

NOTES = (
    "The rules engine finds what recurs in the same words; what is said in other words, or only shown, it misses.",
    "It sees that a step followed an error and passed, not that it was the cause.",
    "What separates failure from success is association; it is stratified by task where tasks repeat.",
    "It does not judge whether an entry is good advice, only whether sessions repeat or contradict it.",
)
"""What rules cannot judge; part of every report they make."""


class RulesEngine:
    """Finds and judges by rules. Implements `agentflows.dream.engine.Engine`."""

    name = "rules/2"
    model = ""
    judge = ""
    prompt_sha256 = ""
    reading_sha256 = ""

    def __init__(self, *, today: date | None = None) -> None:
        self._today = today
        self.dropped: list[Refusal] = []
        """Patterns that the instructions left out (`instructions`). Rules quote by place: no quote is ever lost."""

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        """What this one session taught. Every turn is read, so `hints` add nothing."""
        del hints
        return [*errors_seen(session), *said(session), *checks_before_commit(session)]

    def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        """For each pair: nearly the same words, and no number, path, negation or qualifier that differs."""
        return [says_same(left, right) for left, right in pairs]

    def propose(self, pattern: Pattern, entries: Sequence[Entry], instructions: str) -> Proposal | None:
        """What `pattern` means for the store; None where nothing, or where the instructions leave it out."""
        if not understood(instructions).admits(pattern):
            reason = f"the instructions leave it out: {instructions.strip()[:200]}"
            self.dropped.append(
                Refusal(gate=OUTSIDE, reason=reason, claim=pattern.claim[:1_000], key=pattern.key)
            )
            return None
        return proposals.propose(pattern, entries)

    def prune(self, nominations: Sequence[Nomination], instructions: str) -> list[Proposal]:
        """Duplicates, contradictions and lapsed dates among the store's own entries."""
        topics = understood(instructions)
        kept = [
            item for item in nominations if not any(topics.leaves_out(entry.text) for entry in item.entries)
        ]
        return pruning.prune(kept, today=self._today or datetime.now(UTC).date())

    def refute(self, cases: Sequence[Case]) -> list[Verdict]:
        """Upheld: what code can see against a change was looked for before, and rules see no more."""
        return [Verdict(upheld=True) for _ in cases]

    def notes(self, instructions: str = "") -> list[str]:
        """What this engine cannot judge, and which instructions it follows."""
        read = understood(instructions)
        followed = [f"Followed: {sentence}" for sentence in read.followed]
        not_followed = [
            f"Not followed, for rules understand only “ignore …”, “only …” and “focus on …”: {sentence}"
            for sentence in read.not_followed
        ]
        return [*NOTES, *followed, *not_followed]


__all__ = ["NOTES", "RulesEngine", "Understood", "outcome_patterns", "understood"]
