"""Picture: a comparison as what `agentflows.pictures` draws, success before and after each version."""

from agentflows.impact.page import named
from agentflows.impact.rates import Rate
from agentflows.impact.words import Impact, Step
from agentflows.pictures import Era, Point, Success, Verdict
from agentflows.pictures import Rate as Drawn

_SHOWN: dict[str, Verdict] = {"better": "better", "worse": "worse"}


def success_of(impact: Impact) -> Success:
    """What the picture of a comparison is drawn from."""
    eras = [_era(step) for step in impact.steps]
    if impact.steps:
        first = impact.steps[0]
        eras.insert(0, Era(label="before", start=None, end=first.at, rate=_rate(first.before)))
    return Success(
        title=f"Success before and after each version of {impact.store}",
        eras=tuple(eras),
        points=tuple(Point(start=one.start, end=one.end, rate=_rate(one.rate)) for one in impact.buckets),
        note="“Worse” and “better” are judged within tasks; levels and dots are of all sessions that say how they ended.",
    )


def _era(step: Step) -> Era:
    return Era(
        label="v" + named(step).partition(" ")[2].replace(" to ", "–"),
        start=step.settled_at,
        end=step.until,
        rate=_rate(step.after),
        verdict=_SHOWN.get(step.verdict, ""),
        is_undone=step.undone_by is not None,
    )


def _rate(rate: Rate) -> Drawn:
    low, high = rate.interval
    return Drawn(successes=rate.successes, sessions=rate.sessions, low=low, high=high)
