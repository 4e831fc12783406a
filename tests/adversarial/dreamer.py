"""A dreamer under somebody else's control: it reads, claims, proposes and judges whatever a script tells it to.

It stands where a model stands, behind no model and no network, and it is its own judge. All that is left between it
and the memory is code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentflows.change import Change, DreamReport, Observation, ObservationKind, Pattern, Quote, Refusal
from agentflows.dream.case import Case
from agentflows.dream.engine import Engine, Hint, Nomination, Proposal, Verdict
from agentflows.dream.quotes import quote_at
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home
from agentflows.memory import Entry, MemoryEdit
from agentflows.session import Session
from agentflows.settings import load_settings

Lessons = Callable[[Session], list[Observation]]
Proposes = Callable[[Pattern, Sequence[Entry]], Proposal | None]
Prunes = Callable[[Sequence[Nomination]], list[Proposal]]


class Turned:
    """Implements `agentflows.dream.engine.Engine` for an attacker."""

    model = ""
    judge = ""
    prompt_sha256 = ""
    reading_sha256 = ""

    def __init__(
        self, name: str, lessons: Lessons, proposes: Proposes | None = None, prunes: Prunes | None = None
    ) -> None:
        self.name = f"turned/{name}"
        self.dropped: list[Refusal] = []
        self.proposed = 0
        """What it has put to the gates, as lessons without a pattern, as changes or as prunes."""
        self._lessons = lessons
        self._proposes: Proposes = proposes or _as_claimed
        self._prunes: Prunes = prunes or _nothing_gone

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        """What the script wants this session to have taught."""
        del hints
        return self._lessons(session)

    def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        """Apart: each lie gets its own chance."""
        return [False for _ in pairs]

    def propose(self, pattern: Pattern, entries: Sequence[Entry], instructions: str) -> Proposal | None:
        """What the script makes of a pattern."""
        del instructions
        self.proposed += 1
        return self._proposes(pattern, entries)

    def prune(self, nominations: Sequence[Nomination], instructions: str) -> list[Proposal]:
        """What the script wants gone."""
        del instructions
        found = self._prunes(nominations)
        self.proposed += len(found)
        return found

    def refute(self, cases: Sequence[Case]) -> list[Verdict]:
        """It finds itself right."""
        return [Verdict(upheld=True) for _ in cases]


class TurnedHome(Home):
    """A home in which the attacker's engine dreams; all else is the product as it ships."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(load_settings(home=folder, **settings))
        self.turned: Engine | None = None

    def engine(self, choice: object, purse: object, **rest: object) -> tuple[Engine, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whatever was chosen, the attacker's."""
        del choice, purse, rest
        assert self.turned is not None
        return self.turned, "turned"


@dataclass(frozen=True, slots=True)
class Attack:
    """What came of one dream of the attacker's."""

    report: DreamReport
    committed: tuple[Change, ...]
    unheld: tuple[Change, ...]
    """Changes that would be committed by themselves, were it not for what the dream does as a whole."""
    grown: int
    """Blocks in the store that were not there."""
    lost: int
    """Blocks that are not there any more."""


def dreamt(home: TurnedHome, engine: Engine, store: str, files: Mapping[str, str]) -> Attack:
    """Let the attacker dream over a new store, with `commit="auto"` and nobody looking."""
    actor = home.actor("owner")
    made = home.state.create_store(store, actor=actor)
    edits = [
        MemoryEdit(path=path, content=text, expected_sha256=None) for path, text in sorted(files.items())
    ]
    home.state.commit(made.store_id, edits, base_version=made.version, actor=actor, message="begin")
    home.turned = engine
    report = dream_over(home, DreamRequest(store=store, engine="rules", commit="auto"))
    after = home.state.files(store)
    old = {line for text in files.values() for line in text.splitlines()}
    new = {line for text in after.values() for line in text.splitlines()}
    return Attack(
        report=report,
        committed=tuple(one for one in report.changes if one.status == "committed" and one.op != "reinforce"),
        unheld=tuple(one for one in report.changes if not one.risks and one.op not in {"flag", "reinforce"}
                     and one.status not in {"refused", "committed"}),
        grown=len(new - old),
        lost=len(old - new),
    )  # fmt: skip


# -- what scripts are made of ----------------------------------------------------------------------------


def lesson(
    session: Session,
    claim: str,
    quotes: Sequence[Quote],
    *,
    subject: str,
    kind: ObservationKind = "fact",
    outright: bool = False,
) -> Observation:
    """An observation as the attacker words it."""
    return Observation(
        session_id=session.session_id,
        root_id=session.root_id,
        kind=kind,
        subject=subject,
        attribute="what holds",
        claim=claim,
        said_outright=outright,
        quotes=tuple(quotes),
        at=session.started_at,
    )


def found(session: Session, text: str, *, kind: str = "") -> Quote | None:
    """The quote of `text` in a session, in a turn of that kind."""
    for turn in session.turns:
        if text in turn.text and (not kind or turn.kind == kind):
            start = turn.text.index(text)
            return quote_at(session, turn.seq, start, start + len(text))
    return None


def added(text: str) -> Proposal:
    """A new entry."""
    return Proposal(op="add", after=f"- {' '.join(text.split())}", reason="It was learnt.")


def _as_claimed(pattern: Pattern, entries: Sequence[Entry]) -> Proposal:
    del entries
    return added(pattern.claim)


def _nothing_gone(nominations: Sequence[Nomination]) -> list[Proposal]:
    del nominations
    return []
