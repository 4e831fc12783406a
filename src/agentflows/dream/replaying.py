"""The replay gate: probes run with the present memory and with the candidate, paired; a pass must not become a fail.

A change can be true, well quoted and harmful all the same, which shows where the memory is used. What flips a probe
is searched for by delta debugging (Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, IEEE TSE
28(2), 2002) within a number of runs; what is left is replayed anew, until no probe flips. Whatever could not be told
waits for a person.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from agentflows.change import Change, Risk
from agentflows.dream.apply import WRITING, apply_changes
from agentflows.memory import tree_sha256
from agentflows.replay import Flip, Probed, ProbeRun, ProbeVerdict, Replay

MOST_SEARCHES = 24
"""Trials (a probe with one memory, all its repeats) that may be spent on finding which changes flip probes."""
PRESENT = "present memory"
CANDIDATE = "candidate memory"


class Task(Protocol):
    """What is to be known of a probe here."""

    @property
    def name(self) -> str:
        """Unique among the probes."""
        ...

    @property
    def repeats(self) -> int:
        """Runs with each memory."""
        ...


T = TypeVar("T", bound=Task)
Item = TypeVar("Item")
Arm = tuple[str, Mapping[str, str]]
"""What a memory is called, and its files."""


def count_runs(probes: Sequence[Task]) -> int:
    """Runs of agents that comparing two memories takes, where nothing is known and nothing flips."""
    return 2 * sum(probe.repeats for probe in probes)


def replay(
    changes: Sequence[Change],
    files: Mapping[str, str],
    probes: Sequence[T],
    run: Callable[[T, str, Mapping[str, str]], Sequence[ProbeRun]],
    *,
    commit: Literal["review", "auto"],
    most_searches: int = MOST_SEARCHES,
) -> tuple[list[Change], Replay]:
    """Try the changes that would be committed, and hold those that make a probe fail.

    Args:
        changes: of the dream, after all other gates.
        files: the store as it is.
        probes: what is run.
        run: runs a probe with a memory of a name, as often as it repeats.
        commit: under `auto` what no gate holds is tried; under `review` all that a person may approve.
        most_searches: trials for finding what flips a probe.

    Returns:
        All changes, with those that wait marked; and what the probes said.
    """
    return _Replaying(changes, files, probes, run, commit, most_searches).ended()


class _TooManyError(Exception):
    """The search would take more trials than are allowed."""


class _Replaying(Generic[T]):
    """One replay under way."""

    def __init__(
        self,
        changes: Sequence[Change],
        files: Mapping[str, str],
        probes: Sequence[T],
        run: Callable[[T, str, Mapping[str, str]], Sequence[ProbeRun]],
        commit: Literal["review", "auto"],
        most_searches: int,
    ) -> None:
        self._changes = list(changes)
        self._files = files
        self._probes = probes
        self._run = run
        self._status = "proposed" if commit == "auto" else "held"
        self._left = most_searches
        self._tried: dict[tuple[str, str], tuple[ProbeRun, ...]] = {}
        self._first: tuple[Probed, ...] = ()
        self._flips: list[Flip] = []

    def ended(self) -> tuple[list[Change], Replay]:
        """Round by round, until what is left flips nothing."""
        out: set[str] = set()
        number = 1
        while part := self._open(out):
            name = CANDIDATE if number == 1 else f"{CANDIDATE}, {number}"
            found = self._round((name, apply_changes(self._files, part)))
            self._first = self._first or found
            if unclear := [one for one in found if one.verdict == "unclear"]:
                self._hold_all(unclear[0].probe, f"could not be told: {unclear[0].why}")
                break
            flipped = [one for one in found if one.verdict == "flipped"]
            if not flipped or not all(self._blamed(one, part) for one in flipped):
                break
            out = {name for flip in self._flips for name in flip.change_ids}
            number += 1
        return self._marked(), self._replay()

    def _open(self, out: set[str]) -> list[Change]:
        """Changes that would be written and that nothing was found against."""
        return [
            one
            for one in self._changes
            if one.status == self._status and one.op in WRITING and one.change_id not in out
        ]

    # -- one comparison ------------------------------------------------------------------------------

    def _round(self, arm: Arm) -> tuple[Probed, ...]:
        return tuple(self._compared(probe, arm) for probe in self._probes)

    def _compared(self, probe: T, arm: Arm) -> Probed:
        present = self._tried_with(probe, (PRESENT, self._files))
        candidate = self._tried_with(probe, arm)
        verdict = paired(present, candidate)
        return Probed(probe=probe.name, verdict=verdict, present=present, candidate=candidate)

    def _tried_with(self, probe: T, arm: Arm) -> tuple[ProbeRun, ...]:
        name, files = arm
        key = (probe.name, tree_sha256(dict(files)))
        if key not in self._tried:
            self._tried[key] = tuple(self._run(probe, name, files))
        return self._tried[key]

    # -- the cause of a flip -------------------------------------------------------------------------

    def _blamed(self, found: Probed, part: Sequence[Change]) -> bool:
        """Name the changes that flip a probe; False where they were not found, so that all of them wait."""
        probe = next(one for one in self._probes if one.name == found.probe)

        def flips(some: Sequence[Change]) -> bool:
            arm = (f"{len(some)} of {len(part)} changes", apply_changes(self._files, some))
            if (probe.name, tree_sha256(arm[1])) not in self._tried:
                if not self._left:
                    raise _TooManyError
                self._left -= 1
            return self._compared(probe, arm).verdict == "flipped"

        try:
            guilty = fewest(part, flips)
        except _TooManyError:
            self._hold_all(found.probe, f"passes without the changes and fails with them: {found.why}")
            return False
        why = self._compared(probe, ("", apply_changes(self._files, guilty))).why
        names = tuple(one.change_id for one in guilty)
        self._flips.append(Flip(probe=found.probe, change_ids=names, is_found=True, why=why))
        return True

    def _hold_all(self, probe: str, why: str) -> None:
        """Nothing is committed, whatever it writes: which of the changes is at fault is not known."""
        names = tuple(one.change_id for one in self._changes if one.status == self._status)
        self._flips.append(Flip(probe=probe, change_ids=names, is_found=False, why=why))

    # -- the end -------------------------------------------------------------------------------------

    def _marked(self) -> list[Change]:
        marked: list[Change] = []
        for change in self._changes:
            found = change
            for flip in self._flips:
                if change.change_id in flip.change_ids:
                    found = _marked(found, flip)
            marked.append(found)
        return marked

    def _replay(self) -> Replay:
        pairs = [_pair(*pair) for one in self._first for pair in zip(one.present, one.candidate, strict=True)]
        better, worse = pairs.count("improved"), pairs.count("flipped")
        runs = [run for some in self._tried.values() for run in some]
        known = sum(run.is_known for run in runs)
        has_repeats = any(probe.repeats > 1 for probe in self._probes)
        return Replay(
            probes=self._first,
            flips=tuple(self._flips),
            runs=len(runs) - known,
            known=known,
            better=better,
            worse=worse,
            p_value=mcnemar_p(better, worse) if has_repeats and self._first else None,
            unclear=sum(run.result == "unclear" for run in runs),
        )


def _marked(change: Change, flip: Flip) -> Change:
    """The change as one that waits, with why."""
    risk: Risk = "flips_probe" if flip.is_found else "untested"
    others = len(flip.change_ids) - 1
    why = f"replay: the probe {flip.probe!r} {flip.why}"
    if flip.is_found:
        together = f" and {others} other{'s' if others > 1 else ''}" if others else ""
        why = f"replay: the probe {flip.probe!r} passes without this change{together} and fails with it: {flip.why}"
    reasons = [reason for reason in (change.status_reason, why) if reason]
    update = {
        "status": "held",
        "risks": (*(known for known in change.risks if known != risk), risk),
        "status_reason": "; ".join(reasons),
    }
    return change.model_copy(update=update)


# -- what pairs come to ------------------------------------------------------------------------------


def _pair(present: ProbeRun, candidate: ProbeRun) -> ProbeVerdict:
    results = (present.result, candidate.result)
    if "unclear" in results:
        return "unclear"
    if results == ("fail", "pass"):
        return "improved"
    if results == ("pass", "fail"):
        return "flipped"
    return "passes" if results == ("pass", "pass") else "fails"


def paired(present: Sequence[ProbeRun], candidate: Sequence[ProbeRun]) -> ProbeVerdict:
    """What the repeats of one probe come to: one unclear pair makes all unclear, else most of those that differ decide.

    Where as many get better as get worse, the probe is decided by chance, and nothing can be told by it.
    """
    pairs = [_pair(*pair) for pair in zip(present, candidate, strict=True)]
    better, worse = pairs.count("improved"), pairs.count("flipped")
    if "unclear" in pairs or not pairs or (better and better == worse):
        return "unclear"
    if better != worse:
        return "improved" if better > worse else "flipped"
    return "passes" if 2 * pairs.count("passes") >= len(pairs) else "fails"


def mcnemar_p(better: int, worse: int) -> float:
    """How probable so uneven a split is where neither memory is better: McNemar's test in its exact, two-sided form.

    Of the pairs that differ, each is as probable one way as the other, so the smaller count is binomial with 1/2
    (Q. McNemar, Psychometrika 12, 1947). Pairs of one probe are not independent: it is a guide and decides nothing.
    """
    count = better + worse
    tail = sum(math.comb(count, number) for number in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**count)


def fewest(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """A part of `items` of which nothing can be left out without `fails` turning false: the algorithm ddmin.

    `items` as a whole are known to fail. What `fails` raises passes through.
    """
    part, pieces = list(items), 2
    while len(part) > 1:
        size = math.ceil(len(part) / pieces)
        chunks = [part[start : start + size] for start in range(0, len(part), size)]
        rests = [[one for one in part if one not in chunk] for chunk in chunks] if len(chunks) > 2 else []
        failing = next((some for some in [*chunks, *rests] if fails(some)), None)
        if failing is not None:
            pieces = 2 if len(failing) <= size else max(len(chunks) - 1, 2)
            part = failing
        elif size == 1:
            break
        else:
            pieces = min(2 * len(chunks), len(part))
    return part
