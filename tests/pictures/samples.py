"""Data of every shape that a picture may be given: plain, empty, single, far too much, and hostile."""

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from agentflows.pictures import (
    Count,
    Coverage,
    Covered,
    Era,
    Grown,
    Growth,
    Mark,
    Point,
    Rate,
    Recurring,
    Row,
    Shown,
    Spending,
    Spent,
    SpentOn,
    Success,
    Verdict,
)

START = datetime.fromisoformat("2026-09-01")
ALL_KINDS: tuple[SpentOn, ...] = ("dream", "outcome", "job")
HOSTILE = (
    "</text><script>alert(1)</script>",
    '" onload="alert(1)',
    "]]> <!-- <![CDATA[ &amp; &lt;",
    "\u202egnirts desrever\u202c \u200b\u2066",
    "e" + "\u0301\u0489" * 300,
    "W" * 5_000,
    "\x00\x1b[31mred\x1b[0m\ufffe\ufdd0\U000e0041",
    "\ud800 half a character",
    "とても長いラベル" * 40,
    "\ufdfd" * 40,
    "مرحبا بالعالم " * 20,
    "👩‍👩‍👧‍👦" * 60,
    "",
    " ",
    "\n\n\ttabs\r\nand lines",
    "![x](javascript:alert(1))",
)


def rate(successes: int, sessions: int) -> Rate:
    """A rate with some interval."""
    half = 1 / math.sqrt(max(1, sessions))
    value = successes / sessions if sessions else 0.0
    return Rate(
        successes=successes, sessions=sessions, low=max(0.0, value - half), high=min(1.0, value + half)
    )


def _verdict(number: int) -> Verdict:
    return "worse" if number % 7 == 3 else "better" if number % 5 == 2 else ""


def recurring(
    count: int, *, rows: int = 8, step: timedelta = timedelta(days=1), label: str = "make test fails"
) -> Recurring:
    """So many stretches of time."""
    dice = random.Random(1)
    at = [START + step * number for number in range(count)]
    found: list[Row] = []
    for number in range(rows if count else 0):
        counts = tuple(Count(moment, dice.randint(1, 9)) for moment in at if dice.random() < 0.6)
        total = sum(one.sessions for one in counts)
        group = "Errors" if number < rows / 2 else "Corrections"
        found.append(Row(label=f"{label} {number}", group=group, sessions=total, counts=counts))
    marks = tuple(
        Mark(at=START + step * number, label=f"v{place}", verdict=_verdict(place))
        for place, number in enumerate(range(0, count, max(1, count // 9)), 1)
    )
    return Recurring(
        title="What recurs",
        rows=tuple(found),
        all_sessions=tuple(Count(moment, 20) for moment in at),
        undated=3,
        marks=marks,
    )


def success(count: int, *, eras: int = 5, label: str = "v") -> Success:
    """So many days, cut into so many versions."""
    dice = random.Random(2)
    day = timedelta(days=1)
    points = tuple(
        Point(start=START + day * number, end=START + day * (number + 1), rate=rate(dice.randint(0, 20), 20))
        for number in range(count)
    )
    cuts = [START + day * (count * number / eras) for number in range(1, eras)]
    found = tuple(
        Era(
            label=f"{label}{place}" if place else "before",
            start=cuts[place - 1] if place else None,
            end=cuts[place] if place < len(cuts) else None,
            rate=rate(dice.randint(5, 40), 40),
            verdict=_verdict(place),
            is_undone=place == 3,
        )
        for place in range(eras)
    )
    return Success(
        title="Success before and after", eras=found if count else (), points=points, note="A note."
    )


def spending(count: int, *, label: str = "drm_", kinds: Sequence[SpentOn] = ("dream",)) -> Spending:
    """So many dreams, or runs of these kinds in turn."""
    dice = random.Random(3)
    spent = tuple(
        Spent(
            at=START + timedelta(hours=31 * number),
            label=f"{label}{number}",
            kind=kinds[number % len(kinds)],
            dollars=dice.random() * 3,
            input_tokens=dice.randint(0, 300_000),
            cached_tokens=dice.randint(0, 900_000),
            written_tokens=dice.randint(0, 90_000),
            output_tokens=dice.randint(0, 60_000),
            calls=dice.randint(1, 90),
        )
        for number in range(count)
    )
    return Spending(title="What dreams cost", spent=spent)


def growth(count: int, *, by: str = "ada") -> Growth:
    """So many versions."""
    dice = random.Random(4)
    versions: list[Grown] = []
    entries = 0
    for number in range(1, count + 1):
        added, removed = dice.randint(0, 12), min(entries, dice.randint(0, 5))
        entries += added - removed
        versions.append(
            Grown(
                version=number,
                at=START + timedelta(hours=40 * number),
                by=by,
                entries=entries,
                bytes=entries * 90,
                added=added,
                removed=removed,
                verdict=_verdict(number),
            )
        )
    return Growth(title="How the memory grew", versions=tuple(versions))


def coverage(count: int) -> Coverage:
    """So many dreams."""
    dice = random.Random(5)
    dreams = tuple(
        Covered(
            at=START + timedelta(hours=29 * number),
            label=f"drm_{number}",
            read=dice.randint(0, 40),
            known=20 * number,
            unread=dice.randint(0, 30),
            failed=dice.randint(0, 2),
            archived=40 * (number + 1),
        )
        for number in range(count)
    )
    return Coverage(title="Sessions that dreams read", dreams=dreams)


def hostile() -> list[Shown]:
    """Every text from outside is an attack."""
    shown: list[Shown] = []
    for text in HOSTILE:
        rows = tuple(
            Row(label=text, group=text if number % 2 else "", sessions=5, counts=(Count(START, 5),))
            for number in range(3)
        )
        marks = (Mark(at=START, label=text, verdict="worse"),)
        shown.append(
            Recurring(title=text, rows=rows, all_sessions=(Count(START, 9),), marks=marks, note=text)
        )
        shown.append(success(9, label=text).model_copy(update={"title": text, "note": text}))
        shown.append(spending(3, label=text).model_copy(update={"title": text, "note": text}))
        shown.append(growth(3, by=text).model_copy(update={"title": text, "note": text}))
        shown.append(coverage(3).model_copy(update={"title": text, "note": text}))
    return shown


PLAIN: dict[str, Shown] = {
    "recurring": recurring(75),
    "success": success(60),
    "cost": spending(30),
    "costs": spending(30, kinds=ALL_KINDS),
    "daily-cost": spending(30).model_copy(update={"each": "day"}),
    "growth": growth(19),
    "coverage": coverage(14),
}
"""One of each, as people will have them."""

SIZES = (0, 1, 2, 49, 10_000)


def of_size(count: int) -> list[Shown]:
    """One of each with so many points."""
    return [
        recurring(count, rows=8 if count < 1_000 else 2),
        success(count),
        spending(count),
        spending(count, kinds=ALL_KINDS),
        growth(count),
        coverage(count),
    ]
