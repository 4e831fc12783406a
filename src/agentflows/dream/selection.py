"""Selection: which sessions a model reads when it cannot read all of them.

A session is worth what it shows that has not been heard yet. Let `n(s)` be how many of the selected root
sessions show the signal `s`, and `c(s)` how many of those were read before or are chosen already. Then

    weight(s) = value(kind) × (1 + log10 n(s))    when n(s) ≥ support
              = value(kind) × LONE                otherwise, for it cannot become a pattern (what is listed in
                                                  ALONE can tell something by itself: × 1)
    gain(x)   = BARE + Σ over the signals s of x: weight(s) × 4^-c(s)

and sessions are taken greedily by gain over cost while the budget lasts: weighted coverage with falling
returns, which is submodular, so that a greedy choice is within a constant of the best one and gains can be
kept in a heap. A pattern needs a few witnesses, hence a quarter and not nothing after the
first. Novelty is
`c(s)`: signals that earlier dreams read count as heard. Outcomes are signals too: that a session failed, and
that it is one side of a task with both outcomes. Ties go to the newer session, then to the smaller id, so the
same archive and budget always give the same choice.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentflows.change import Share
from agentflows.session import SessionInfo

VALUES: Mapping[str, float] = {
    "rule": 4.0,
    "correction": 3.0,
    "error": 2.0,
    "contrast": 2.0,
    "check": 2.0,
    "failure": 1.5,
    "project": 1.0,
    "workflow": 0.5,
}
"""What hearing of a signal is worth: a user's own words most, a command that went well least."""
LONE = 0.25
ALONE = frozenset({"rule", "contrast"})
BARE = 0.05
"""Of a session that shows nothing: what it says may still be new."""
_TOLD = {
    "error": "distinct error signatures",
    "rule": "standing rules, in users' words",
    "correction": "corrections, in users' words",
    "check": "failed checks, by name",
    "contrast": "sides of tasks with both outcomes",
    "workflow": "workflow steps",
    "project": "projects",
}
_EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 - the archive's times are naive


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session as it looks from outside."""

    session_id: str
    root_id: str
    cost: float
    """The share of the budget that reading it may take at most."""
    at: datetime | None
    failed: bool
    signals: tuple[str, ...]
    """`kind:name`, sorted."""


def candidates(
    infos: Sequence[SessionInfo], shown: Iterable[tuple[str, str, str]], costs: Mapping[str, float]
) -> list[Candidate]:
    """The sessions with their signals: those `shown` (session, kind, name), and those of project and outcome."""
    of: dict[str, set[str]] = {info.session_id: set() for info in infos}
    names: dict[str, str] = {}
    for session_id, kind, name in shown:
        signal = f"{kind}:{name}"
        if session_id in of:
            of[session_id].add(names.setdefault(signal, signal))
    verdicts: dict[str, set[str]] = {}
    for info in infos:
        verdicts.setdefault(info.task, set()).add(info.verdict)
    contrasts = {task for task, found in verdicts.items() if task and {"success", "failure"} <= found}
    return [
        Candidate(
            info.session_id,
            info.root_id,
            costs.get(info.session_id, 0.0),
            info.started_at,
            info.verdict == "failure",
            tuple(sorted(of[info.session_id] | _circumstances(info, contrasts))),
        )
        for info in infos
    ]


def _circumstances(info: SessionInfo, contrasts: set[str]) -> set[str]:
    found = {f"project:{info.project}"} if info.project else set[str]()
    if info.verdict == "failure":
        found.add(f"failure:{info.task or info.project}")
    if info.task in contrasts and info.verdict != "unknown":
        found.add(f"contrast:{info.task}:{info.verdict}")
    return found


class _Heard:
    """Which root sessions were heard of each signal, and what hearing more is worth."""

    def __init__(self, everyone: Sequence[Candidate], support: int) -> None:
        roots: dict[str, set[str]] = {}
        for one in everyone:
            for signal in one.signals:
                roots.setdefault(signal, set()).add(one.root_id)
        self._weights = {signal: _weight(signal, len(found), support) for signal, found in roots.items()}
        self._heard: dict[str, set[str]] = {}

    def gain(self, one: Candidate) -> float:
        total = BARE
        for signal in one.signals:
            heard = self._heard.get(signal, ())
            if one.root_id not in heard:
                total += self._weights[signal] * 4.0 ** -min(len(heard), 60)
        return total

    def hear(self, one: Candidate) -> None:
        for signal in one.signals:
            self._heard.setdefault(signal, set()).add(one.root_id)


def _weight(signal: str, sessions: int, support: int) -> float:
    kind = signal.partition(":")[0]
    if sessions >= support:
        return VALUES[kind] * (1.0 + math.log10(sessions))
    return VALUES[kind] * (1.0 if kind in ALONE else LONE)


def choose(
    everyone: Sequence[Candidate], known: Iterable[str], *, capacity: float = 1.0, support: int = 2
) -> list[str]:
    """The ids of the unread sessions to read, in the order they were chosen, at a cost of `capacity` at most.

    `known` are those that need no reading. A session that does not fit any more is passed over for cheaper ones.
    """
    read = set(known)
    heard = _Heard(everyone, support)
    for one in everyone:
        if one.session_id in read:
            heard.hear(one)
    unread = sorted((one for one in everyone if one.session_id not in read), key=lambda one: one.session_id)
    unread.sort(key=lambda one: one.at or _EPOCH, reverse=True)
    heap = [(-_ratio(heard.gain(one), one), place) for place, one in enumerate(unread)]
    heapq.heapify(heap)
    left = capacity + 1e-9
    chosen: list[str] = []
    while heap:
        _, place = heapq.heappop(heap)
        one = unread[place]
        if one.cost > left:
            continue
        # Gains only fall, so whoever still leads after a second look is the best of all.
        now = (-_ratio(heard.gain(one), one), place)
        if heap and now > heap[0]:
            heapq.heappush(heap, now)
            continue
        heard.hear(one)
        left -= one.cost
        chosen.append(one.session_id)
    return chosen


def _ratio(gain: float, one: Candidate) -> float:
    return gain / max(one.cost, 1e-9)


def shares(everyone: Sequence[Candidate], read: Iterable[str]) -> tuple[Share, ...]:
    """How much of what all sessions show is shown by those that were read."""
    names = set(read)
    everything: dict[str, set[str]] = {}
    heard: dict[str, set[str]] = {}
    for one in everyone:
        for signal in one.signals:
            kind = signal.partition(":")[0]
            everything.setdefault(kind, set()).add(signal)
            if one.session_id in names:
                heard.setdefault(kind, set()).add(signal)
    found = [
        Share(what=told, read=len(heard.get(kind, ())), of=len(everything[kind]))
        for kind, told in _TOLD.items()
        if kind in everything
    ]
    failed = [one for one in everyone if one.failed]
    of_failed = Share(
        what="failed sessions", read=sum(one.session_id in names for one in failed), of=len(failed)
    )
    return (*found, *([of_failed] if failed else []))
