"""Page: an impact as Markdown, as rows of a table, and as a small picture of success over time."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from agentflows.impact.compare import points
from agentflows.impact.rates import Rate
from agentflows.impact.words import Bucket, Impact, Step

_WIDE, _HIGH, _EDGE = 640, 180, 28
_BAR = 20
_TOLD = {
    "better": "better",
    "worse": "WORSE",
    "no_difference": "no difference seen",
    "too_few": "too few to tell",
}


def share(rate: Rate) -> str:
    """`7 of 10 (70 %, 40–89)`: the share with its 95 % Wilson interval."""
    if rate.value is None:
        return "none"
    low, high = rate.interval
    return f"{rate.successes} of {rate.sessions} ({100 * rate.value:.0f} %, {100 * low:.0f}–{100 * high:.0f})"


def named(step: Step) -> str:
    """`version 4`, or `versions 4 to 6`."""
    first, last = step.first_version, step.version
    return f"version {last}" if first == last else f"versions {first} to {last}"


def restore_command(store: str, version: int) -> str:
    """The command that undoes a step."""
    return f"agentflows memory restore {version} --store {store}"


def lost_too(version: int, newest: int) -> str:
    """What else goes with the restore that undoes a step ending in `version`, where the store is at `newest`; "" for nothing."""
    if newest <= version:
        return ""
    later = f"version {newest}" if newest == version + 1 else f"versions {version + 1} to {newest}"
    return f" ({later} came after it and would go, too: `agentflows memory history` says what they brought)"


def undoing(impact: Impact, step: Step) -> str:
    """How a worse step is undone, or that it is."""
    if step.undone_by is not None:
        return f"Undone by version {step.undone_by}."
    command = restore_command(impact.store, step.restore_to)
    return f"Undo: `{command}`{lost_too(step.version, impact.store_version)}"


def table(impact: Impact) -> list[dict[str, str]]:
    """One row for each step, newest last, as text."""
    return [
        {
            "versions": named(step).partition(" ")[2],
            "since": f"{step.settled_at:%Y-%m-%d %H:%M}",
            "by": step.by,
            "before": share(step.before),
            "after": share(step.after),
            "difference within tasks": points(step.difference) if step.difference else "",
            "tasks": str(len(step.strata)),
            "verdict": _TOLD[step.verdict],
        }
        for step in impact.steps
    ]


def notes(impact: Impact) -> list[str]:
    """What a reader must know: which sessions count, what was left out, where the mix of tasks misleads."""
    lines = [f"Sessions that count: {impact.sessions:,} ({impact.who})."]
    left = {
        "whose source does not say how they ended": impact.unlabelled,
        "without a start time": impact.undated,
        "that ran after the first version and recalled no memory": impact.unmarked,
    }
    told = [f"{count:,} {what}" for what, count in left.items() if count]
    lines += [f"Left out: {'; '.join(told)}."] if told else []
    lines += [mixed for step in impact.steps if (mixed := _mixed(step))]
    lines.append(
        "Observed, not an experiment: whatever else changed at the same time is in these numbers. Of forty comparisons "
        "where nothing changed, about one looks worse by chance."
    )
    return lines


def _mixed(step: Step) -> str:
    """Where all tasks thrown together would have told another story."""
    if step.crude is None or step.difference is None or len(step.strata) + step.left_out < 2:
        return ""
    crude, within = (_sign(one.low, one.high) for one in (step.crude, step.difference))
    if crude == within:
        return ""
    return (
        f"{named(step).capitalize()}: the mix of tasks changed. Thrown together they say {points(step.crude)}; within "
        f"tasks it is {points(step.difference)}, and that counts."
    )


def _sign(low: float, high: float) -> int:
    return (low > 0) - (high < 0)


def markdown(impact: Impact) -> str:
    """The whole page."""
    lines = [f"# Impact of the memory {impact.store!r}, version {impact.store_version}", ""]
    for step in impact.worse:
        lines += [f"**{named(step).capitalize()}: {step.why}.** {undoing(impact, step)}", ""]
    rows = table(impact)
    if rows:
        lines += [
            _row(list(rows[0])),
            _row(["---"] * len(rows[0])),
            *(_row(list(row.values())) for row in rows),
        ]
    else:
        lines.append("The store has no version that says anything yet.")
    lines += ["", "## Each step", "", *(f"- {named(step)}: {step.why}" for step in impact.steps)]
    lines += ["", "## Success over time", "", "```", *timeline(impact), "```", ""]
    return "\n".join([*lines, *(f"- {line}" for line in notes(impact)), ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def timeline(impact: Impact) -> list[str]:
    """Success over time in plain text, one line for each stretch, with the versions where they came in."""
    lines: list[str] = []
    marks = [(step.at, f"{'':11}── {named(step)}") for step in impact.steps]
    for bucket in impact.buckets:
        while marks and marks[0][0] < bucket.end and marks[0][0] <= bucket.start:
            lines.append(marks.pop(0)[1])
        filled = round(_BAR * (bucket.rate.value or 0))
        lines.append(f"{bucket.start:%Y-%m-%d} {'█' * filled}{'·' * (_BAR - filled)} {share(bucket.rate)}")
        while marks and marks[0][0] < bucket.end:
            lines.append(marks.pop(0)[1])
    return [*lines, *(text for _, text in marks)] or ["no session that counts"]


def svg(impact: Impact) -> str:
    """Success over time as a picture: a dot with its interval for each stretch, a line for each version."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" role="img" font-size="10">',
        f"<title>Success over time, {escape(impact.store)}</title>",
        f'<rect width="{_WIDE}" height="{_HIGH}" fill="white"/>',
    ]
    for percent in (0, 50, 100):
        y = _y(percent / 100)
        parts.append(f'<line x1="{_EDGE}" y1="{y}" x2="{_WIDE - _EDGE}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="2" y="{y + 3}">{percent}%</text>')
    if impact.buckets:
        start, end = impact.buckets[0].start, impact.buckets[-1].end
        parts += [_mark(step, start, end) for step in impact.steps if start <= step.at <= end]
        parts += [_dot(bucket, start, end) for bucket in impact.buckets]
        parts.append(f'<text x="{_EDGE}" y="{_HIGH - 4}">{start:%Y-%m-%d}</text>')
        parts.append(f'<text x="{_WIDE - _EDGE}" y="{_HIGH - 4}" text-anchor="end">{end:%Y-%m-%d}</text>')
    return "".join([*parts, "</svg>"])


def _y(value: float) -> float:
    return round(_HIGH - _EDGE - value * (_HIGH - 2 * _EDGE), 1)


def _x(moment: datetime, start: datetime, end: datetime) -> float:
    return round(_EDGE + (_WIDE - 2 * _EDGE) * ((moment - start) / (end - start)), 1)


def _mark(step: Step, start: datetime, end: datetime) -> str:
    x = _x(step.at, start, end)
    colour = {"worse": "#c00", "better": "#080"}.get(step.verdict, "#888")
    return (
        f'<line x1="{x}" y1="{_EDGE}" x2="{x}" y2="{_HIGH - _EDGE}" stroke="{colour}" stroke-dasharray="3 2"/>'
        f'<text x="{x}" y="{_EDGE - 6}" text-anchor="middle" fill="{colour}">v{step.version}</text>'
    )


def _dot(bucket: Bucket, start: datetime, end: datetime) -> str:
    x = _x(bucket.start + (bucket.end - bucket.start) / 2, start, end)
    low, high = bucket.rate.interval
    return (
        f'<line x1="{x}" y1="{_y(low)}" x2="{x}" y2="{_y(high)}" stroke="#69c"/>'
        f'<circle cx="{x}" cy="{_y(bucket.rate.value or 0)}" r="3" fill="#036"/>'
    )
