"""Page: an impact as Markdown, as rows of a table, and as success over time in plain text."""

from collections.abc import Sequence

from agentflows.escape import code, inline, plain
from agentflows.impact.compare import points
from agentflows.impact.rates import Rate
from agentflows.impact.words import Impact, Step

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
    command = code(restore_command(impact.store, step.restore_to))
    return f"Undo: {command}{lost_too(step.version, impact.store_version)}"


def table(impact: Impact) -> list[dict[str, str]]:
    """One row for each step, newest last, as text."""
    return [
        {
            "versions": named(step).partition(" ")[2],
            "since": f"{step.settled_at:%Y-%m-%d %H:%M}",
            "by": plain(step.by),
            "before": share(step.before),
            "after": share(step.after) + _recalled(step),
            "difference within tasks": points(step.difference) if step.difference else "",
            "tasks": str(len(step.strata)),
            "verdict": _TOLD[step.verdict],
        }
        for step in impact.steps
    ]


def _recalled(step: Step) -> str:
    """How many of the sessions after a step show that they read a memory; "" where no log shows that."""
    return f", {step.recalled} recalled a memory" if step.recalled or step.unmarked else ""


def notes(impact: Impact) -> list[str]:
    """What a reader must know: which sessions count, what was left out, where the mix of tasks misleads."""
    lines = [f"Sessions that count: {impact.sessions:,} ({impact.who})."]
    left = {
        "whose source does not say how they ended": impact.unlabelled,
        "without a start time": impact.undated,
    }
    told = [f"{count:,} {what}" for what, count in left.items() if count]
    lines += [f"Left out: {'; '.join(told)}."] if told else []
    if impact.unmarked:
        lines.append(
            f"{impact.unmarked:,} of them ran after the first version and show no recalled memory. They count: sessions "
            "that break off before they read count before a version, too. Where many never had the memory, its effect "
            "looks smaller than it is."
        )
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


def markdown(impact: Impact, picture: str = "") -> str:
    """The whole page; `picture` is an image in Markdown to show in place of success over time in plain text."""
    lines = [f"# Impact of the memory {inline(repr(impact.store))}, version {impact.store_version}", ""]
    for step in impact.worse:
        lines += [f"**{named(step).capitalize()}: {inline(step.why)}.** {undoing(impact, step)}", ""]
    rows = table(impact)
    if rows:
        lines += [
            _row(list(rows[0])),
            _row(["---"] * len(rows[0])),
            *(_row(list(row.values())) for row in rows),
        ]
    else:
        lines.append("The store has no version that says anything yet.")
    lines += ["", "## Each step", "", *(f"- {named(step)}: {inline(step.why)}" for step in impact.steps)]
    lines += [
        "",
        "## Success over time",
        "",
        *([picture] if picture else ["```", *timeline(impact), "```"]),
        "",
    ]
    return "\n".join([*lines, *(f"- {inline(line)}" for line in notes(impact)), ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(inline, cells)) + " |"


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
