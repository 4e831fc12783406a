"""Compare: success before and after each step of a memory, within tasks, with honesty about small numbers.

This is what was observed, not an experiment: what else changed at the same time (the agent's model, the work) is in
the numbers, too. Comparing within tasks and agents takes the mix of both out.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from agentflows.impact.rates import Difference, Rate, mantel_haenszel, newcombe
from agentflows.impact.words import Bucket, Ended, Step, Stratum, Verdict, Version

MINIMUM = 10
"""Sessions that each side needs in the tasks both sides share. With ten, a 95 % interval is still some 0.8 wide at worst:
fewer tell nothing but the grossest harm."""
_BUCKETS = 24
_DAY = timedelta(days=1)

Against = Literal["previous", "all"]
"""What a step is compared with: the sessions since the step before it, or all sessions before it."""


def compare(
    versions: Sequence[Version],
    ended: Iterable[Ended],
    *,
    against: Against = "previous",
    minimum: int = MINIMUM,
) -> list[Step]:
    """Each step of the memory, oldest first, with the sessions before and after it.

    Versions without a session between them are one step: nothing can tell them apart.
    """
    sessions = sorted(ended, key=lambda one: (one.started_at, one.session_id))
    groups = _groups(versions, sessions)
    steps: list[Step] = []
    for number, group in enumerate(groups):
        start = groups[number - 1][-1].at if number and against == "previous" else datetime.min  # noqa: DTZ901
        until = groups[number + 1][0].at if number + 1 < len(groups) else None
        before = [one for one in sessions if start <= one.started_at < group[0].at]
        after = [
            one
            for one in sessions
            if group[-1].at <= one.started_at and (not until or one.started_at < until)
        ]
        steps.append(_step(group, until, before, after, minimum))
    return steps


def _groups(versions: Sequence[Version], sessions: Sequence[Ended]) -> list[list[Version]]:
    """Versions in order, those with no session between them together."""
    groups: list[list[Version]] = []
    for version in sorted(versions, key=lambda one: one.version):
        last = groups[-1][-1] if groups else None
        if last and not any(last.at <= one.started_at < version.at for one in sessions):
            groups[-1].append(version)
        else:
            groups.append([version])
    return groups


def _step(
    group: Sequence[Version],
    until: datetime | None,
    before: Sequence[Ended],
    after: Sequence[Ended],
    minimum: int,
) -> Step:
    strata = _strata(before, after)
    shared = [one for one in strata if one.before.sessions and one.after.sessions]
    left_out = sum(one.before.sessions + one.after.sessions for one in strata if one not in shared)
    both = _rate(before), _rate(after)
    within = _total(one.before for one in shared), _total(one.after for one in shared)
    difference, method = _difference(shared)
    verdict = _verdict(difference, within, minimum)
    return Step(
        first_version=group[0].version,
        version=group[-1].version,
        at=group[0].at,
        settled_at=group[-1].at,
        until=until,
        by=group[-1].by,
        before=both[0],
        after=both[1],
        recalled=sum(one.recalled is True for one in after),
        unmarked=sum(one.recalled is False for one in after),
        crude=newcombe(*both) if before and after else None,
        difference=difference,
        method=method,
        strata=tuple(shared),
        left_out=left_out,
        verdict=verdict,
        why=_why(verdict, difference, both, within, minimum),
    )


def _strata(before: Sequence[Ended], after: Sequence[Ended]) -> list[Stratum]:
    names = sorted({one.stratum for one in (*before, *after)})
    return [
        Stratum(
            name=name,
            before=_rate([one for one in before if one.stratum == name]),
            after=_rate([one for one in after if one.stratum == name]),
        )
        for name in names
    ]


def _rate(sessions: Sequence[Ended]) -> Rate:
    return Rate(successes=sum(one.is_success for one in sessions), sessions=len(sessions))


def _total(rates: Iterable[Rate]) -> Rate:
    return sum(rates, start=Rate())


def _difference(
    shared: Sequence[Stratum],
) -> tuple[Difference | None, Literal["", "newcombe", "mantel_haenszel"]]:
    if not shared:
        return None, ""
    if len(shared) == 1:
        return newcombe(shared[0].before, shared[0].after), "newcombe"
    return mantel_haenszel([(one.before, one.after) for one in shared]), "mantel_haenszel"


def _verdict(difference: Difference | None, within: tuple[Rate, Rate], minimum: int) -> Verdict:
    if difference is None or min(side.sessions for side in within) < minimum:
        return "too_few"
    if difference.high < 0:
        return "worse"
    return "better" if difference.low > 0 else "no_difference"


def _why(
    verdict: Verdict,
    difference: Difference | None,
    both: tuple[Rate, Rate],
    within: tuple[Rate, Rate],
    minimum: int,
) -> str:
    if verdict == "too_few":
        return _too_few(both, within, minimum)
    if difference is None:  # only `too_few` has none
        raise AssertionError
    told = {
        "better": "sessions went better after it",
        "worse": "sessions went worse after it",
        "no_difference": "no difference can be seen",
    }[verdict]
    return f"{told}: {points(difference)} within tasks, {within[0].sessions} sessions before and {within[1].sessions} after"


def _too_few(both: tuple[Rate, Rate], within: tuple[Rate, Rate], minimum: int) -> str:
    counted = f"{both[0].sessions} sessions before and {both[1].sessions} after"
    if min(side.sessions for side in both) < minimum:
        return f"too few to tell: {counted}, and {minimum} are needed on each side"
    return (
        f"too few to tell: of {counted}, only {within[0].sessions} and {within[1].sessions} are of tasks that were worked "
        f"on both before and after, and {minimum} are needed on each side"
    )


def points(difference: Difference) -> str:
    """A difference in percentage points with its interval: `−12 points (95 % interval −20 to −4)`."""
    value, low, high = (
        f"{100 * number:+.0f}".replace("-", "−")
        for number in (difference.value, difference.low, difference.high)
    )
    return f"{value} points (95 % interval {low} to {high})"


def buckets(ended: Iterable[Ended], *, most: int = _BUCKETS) -> list[Bucket]:
    """The sessions in at most `most` stretches of whole days, in order; stretches without one are left out."""
    sessions = sorted(ended, key=lambda one: one.started_at)
    if not sessions:
        return []
    first = sessions[0].started_at.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (sessions[-1].started_at - first).days + 1
    width = _DAY * -(-days // most)
    found: list[Bucket] = []
    for number, some in groupby(sessions, key=lambda one: (one.started_at - first) // width):
        start = first + number * width
        found.append(Bucket(start=start, end=start + width, rate=_rate(list(some))))
    return found
