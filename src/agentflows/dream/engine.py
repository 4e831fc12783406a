"""What a dream needs of whoever reads sessions and judges claims: a model, or rules."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from agentflows.change import ChangeOp, Observation, Pattern, Refusal, Risk
from agentflows.dream.case import Case
from agentflows.memory import Entry
from agentflows.session import Session

Mined = dict[str, list[dict[str, Any]]]
"""Rows of the archive's named pattern queries over the selected sessions, by query name."""


class Hint(BaseModel):
    """Where to look in one session, as the archive's signals say."""

    model_config = ConfigDict(frozen=True)

    seq: int
    signal: Literal["error", "fix", "correction", "retry", "outlier", "recurring"]
    note: str = ""


class Nomination(BaseModel):
    """Entries of the store that may say the same or contradict each other. Similarity only nominates."""

    model_config = ConfigDict(frozen=True)

    entries: tuple[Entry, ...]
    why: str


class Proposal(BaseModel):
    """What an engine would do. Code turns it into a `Change`, or refuses it."""

    model_config = ConfigDict(frozen=True)

    op: ChangeOp
    entry_ids: tuple[str, ...] = ()
    path: str = ""
    heading: str = ""
    after: str | None = None
    reason: str
    risks: tuple[Risk, ...] = ()


class Verdict(BaseModel):
    """What a judge says of one change. Whatever is not plainly `upheld` is refused."""

    model_config = ConfigDict(frozen=True)

    upheld: bool
    gate: Literal["", "refuted", "unjudged", "model_output", "canary"] = ""
    """Where it is not: the sources do not carry it, no clear verdict was given, the answer was unusable, or the
    question held a canary and was not put."""
    reason: str = ""


class Engine(Protocol):
    """Reads sessions and judges claims. Everything it says passes the same gates in code."""

    name: str
    """`rules/<n>` or `claude/<n>`: part of every cache key."""
    model: str
    """"" for rules."""
    prompt_sha256: str
    """Identity of all its prompts (rules: ""). Part of a dream's identity."""
    reading_sha256: str
    """Of the prompts it reads sessions with, so that another way of judging makes nobody read them again."""
    judge: str
    """The model that tries changes; "" where only code does. Part of a dream's identity."""
    dropped: list[Refusal]
    """What it was told and did not let through itself, such as quotes that a model made up."""

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        """What this one session taught; an empty list is a good answer."""
        ...

    def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        """For each pair nominated by similarity: do both say the same thing, under the same conditions?"""
        ...

    def propose(self, pattern: Pattern, entries: Sequence[Entry], instructions: str) -> Proposal | None:
        """What `pattern` means for the store, given the entries nearest to it; None for nothing.

        Why nothing, where the engine can say, goes to `dropped` under the pattern's key and claim.
        """
        ...

    def prune(self, nominations: Sequence[Nomination], instructions: str) -> list[Proposal]:
        """Merges, retirements and flags among the store's own entries."""
        ...

    def refute(self, cases: Sequence[Case]) -> Iterable[Verdict]:
        """Try to refute each change by its sources, in a fresh context each; one verdict for each, in order, as they come.

        Code has looked before (`countering`), so an engine without a model has nothing to add.

        Raises:
            EndpointError, BudgetError: the judge cannot be asked. A verdict that is unusable raises nothing: it is
                no verdict, and the change is refused.
        """
        ...
