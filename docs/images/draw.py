"""The pictures of the documentation, drawn anew: `python docs/images/draw.py`."""

import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from agentflows.home import open_home
from agentflows.impact import Ended, Impact, Version, buckets, compare, success_of
from agentflows.ingesting import ingest_files
from agentflows.pictures import Spending, Spent, SpentOn, picture
from agentflows.picturing import picture_recurring
from agentflows.readers import discover

HERE = Path(__file__).parent
START = datetime.fromisoformat("2026-08-31")
_RATES = ((40, 0.52), (45, 0.55), (50, 0.82), (45, 0.58))
"""Sessions before the first version and after each, and how many of them end well."""


def images() -> dict[str, str]:
    """Each picture by its file: one of the bundled example, two of invented numbers."""
    return {"patterns.svg": patterns(), "success.svg": success(), "cost.svg": cost()}


def patterns() -> str:
    """What recurs in the sessions of the example project."""
    with tempfile.TemporaryDirectory() as folder, open_home(folder) as home:
        ingest_files(home, discover(HERE.parents[1] / "examples" / "sessions"))
        return picture(picture_recurring(home))


def success() -> str:
    """Three versions of a memory: one that shows nothing yet, one that helps, one that does harm."""
    dice = random.Random(7)  # noqa: S311
    ended: list[Ended] = []
    versions: list[Version] = []
    for number, (sessions, share) in enumerate(_RATES):
        begun = START + timedelta(days=15 * number)
        if number:
            versions.append(Version(version=number, at=begun, by="ada"))
        for place in range(sessions):
            at = begun + timedelta(days=15 * (place + 0.5) / sessions)
            name = f"{number}-{place}"
            ended.append(Ended(session_id=name, started_at=at, stratum="", is_success=dice.random() < share))
    found = Impact(
        store="team",
        store_id="memstore_example",
        store_version=len(versions),
        measured_at=ended[-1].started_at,
        who="an example",
        sessions=len(ended),
        minimum=10,
        steps=tuple(compare(versions, ended)),
        buckets=tuple(buckets(ended)),
    )
    return picture(success_of(found))


def cost() -> str:
    """Twenty nights, of which the first reads everything and the others what is new; with outcomes and a team by day."""
    dice = random.Random(11)  # noqa: S311
    spent: list[Spent] = []
    for night in range(20):
        share = 1.0 if night == 0 else 0.12 + 0.2 * dice.random()
        tokens = int(900_000 * share)
        cached = int(tokens * (0.55 + 0.25 * dice.random()))
        written = int(0.08 * tokens)
        sent, output = tokens - cached - written, int(0.06 * tokens)
        dollars = (3 * sent + 0.3 * cached + 3.75 * written + 15 * output) / 1e6
        at = START + timedelta(days=night, hours=2)
        spent.append(
            Spent(
                at=at,
                label=f"night {night + 1}",
                dollars=dollars,
                input_tokens=sent,
                cached_tokens=cached,
                written_tokens=written,
                output_tokens=output,
                calls=90,
            )
        )
        if night % 3 == 1:
            spent.append(_by_day(at, "job" if night % 9 == 4 else "outcome", dice.uniform(0.2, 0.9)))
    title = "What dreams over team, outcomes and jobs of teams cost"
    return picture(Spending(title=title, spent=tuple(spent)))


def _by_day(night: datetime, kind: SpentOn, size: float) -> Spent:
    """An outcome, or a job of several threads, in the afternoon."""
    sent, output = int(260_000 * size), int(30_000 * size)
    if kind == "job":
        sent, output = 3 * sent, 3 * output
    return Spent(
        at=night + timedelta(hours=13),
        label=kind,
        kind=kind,
        dollars=(0.3 * 0.6 * sent + 3 * 0.4 * sent + 15 * output) / 1e6,
        input_tokens=int(0.4 * sent),
        cached_tokens=int(0.6 * sent),
        output_tokens=output,
        calls=20,
    )


if __name__ == "__main__":
    for name, svg in images().items():
        (HERE / name).write_text(svg, encoding="utf-8")
