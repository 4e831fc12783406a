"""Replays: what tasks whose success can be checked say of a changed memory, before it is committed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

ProbeResult = Literal["pass", "fail", "unclear"]
"""How one run of a probe ended. `unclear`: it could not be told, which is never a pass and never a fail."""

ProbeVerdict = Literal["passes", "fails", "improved", "flipped", "unclear"]
"""A probe with the present memory beside the same probe with the candidate.

* `passes`, `fails`: the same with both; `improved`: it fails with the present memory and passes with the candidate
* `flipped`: the other way round; `unclear`: a run could not be judged, or repeats point both ways equally often
"""


class ProbeRun(BaseModel):
    """One run of a probe with one memory."""

    model_config = ConfigDict(frozen=True)

    result: ProbeResult
    why: str = ""
    """The criterion that was not met, why, and the words that show it; or why it could not be told."""
    outcome_id: str = ""
    """Of its outcome, for `agentflows outcome show`."""
    is_known: bool = False
    """Whether an earlier run of the same was taken, so that nothing was paid."""


class Probed(BaseModel):
    """One probe in both arms; the n-th run of one is paired with the n-th of the other."""

    model_config = ConfigDict(frozen=True)

    probe: str
    verdict: ProbeVerdict
    present: tuple[ProbeRun, ...]
    candidate: tuple[ProbeRun, ...]

    @property
    def why(self) -> str:
        """What a reader wants to know first: why it could not be told, else why it fails."""
        runs = (*self.candidate, *self.present)
        wanted: ProbeResult = "unclear" if self.verdict == "unclear" else "fail"
        otherwise = "its repeats point both ways" if self.verdict == "unclear" else ""
        return next((run.why for run in runs if run.result == wanted and run.why), otherwise)


class Flip(BaseModel):
    """Changes that wait because of a probe."""

    model_config = ConfigDict(frozen=True)

    probe: str
    change_ids: tuple[str, ...]
    """The fewest changes that were found to turn it from pass to fail; all of them where the search found none."""
    is_found: bool
    """Whether those changes alone were seen to do it."""
    why: str


class Replay(BaseModel):
    """What replaying all probes said of a dream's changes."""

    model_config = ConfigDict(frozen=True)

    probes: tuple[Probed, ...] = ()
    """Each with the changes as they were proposed."""
    flips: tuple[Flip, ...] = ()
    runs: int = 0
    """Runs of agents made now, those that looked for the cause of a flip included."""
    known: int = 0
    """Runs taken from an earlier replay."""
    better: int = 0
    """Pairs that fail with the present memory and pass with the candidate."""
    worse: int = 0
    """Pairs that pass with the present memory and fail with the candidate."""
    p_value: float | None = None
    """McNemar's exact test over the pairs that differ; None without repeats, where each probe is one pair."""
    unclear: int = 0
    """Runs that could not be told. The same dream again tries them again."""

    def count(self, verdict: ProbeVerdict) -> int:
        """Probes of that verdict."""
        return sum(one.verdict == verdict for one in self.probes)

    @property
    def line(self) -> str:
        """One line for people."""
        count = len(self.probes)
        said = [f"{self.count('improved')} improved", f"{self.count('flipped')} flipped"]
        if unclear := self.count("unclear"):
            said.append(f"{unclear} could not be told")
        test = (
            f" (McNemar's exact test over {self.better + self.worse} pairs that differ: p = {self.p_value:.3g})"
            if self.p_value is not None
            else ""
        )
        held = len({name for flip in self.flips for name in flip.change_ids})
        after = f"; {held} {'change waits' if held == 1 else 'changes wait'} for it" if held else ""
        return f"replayed {count} {'probe' if count == 1 else 'probes'}: {', '.join(said)}{test}{after}"
