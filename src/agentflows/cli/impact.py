"""`agentflows impact`: did sessions go better or worse with each version of a memory?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agentflows import impact as impacts
from agentflows.cli.output import (
    HomeOption,
    JsonOption,
    PictureOption,
    StoreOption,
    console,
    print_json,
    print_table,
    program,
)
from agentflows.cli.picture import write_pictures
from agentflows.home import open_home


def impact(
    store: StoreOption = "team",
    project: Annotated[str, typer.Option(help="Only sessions of this project")] = "",
    agent: Annotated[str, typer.Option(help="Only sessions of this agent")] = "",
    against: Annotated[
        Literal["previous", "all"],
        typer.Option(help="Compare with the sessions since the version before, or with all before"),
    ] = "previous",
    minimum: Annotated[
        int, typer.Option(help="Sessions needed on each side before anything is said", min=1)
    ] = impacts.MINIMUM,
    picture: PictureOption = None,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Compare how sessions ended before and after each version of a store, within tasks, with 95 % intervals.

    A version after which sessions went worse is kept on record: `memory history` and the next dream tell it, until a
    restore undoes it. A comparison narrowed by options is shown and not kept.

    JSON: {store, store_version, who, sessions, unlabelled, undated, unmarked, minimum, steps: [{first_version, version,
    before, after, recalled, unmarked, difference: {value, low, high}, method, strata, verdict, why, undone_by, …}], buckets}
    """
    with open_home(home) as doors:
        found = impacts.measure(
            doors.state,
            doors.archive,
            store,
            project=project,
            agent=agent,
            against=against,
            minimum=minimum,
        )
        narrowed = project or agent or against != "previous" or minimum != impacts.MINIMUM
        if not narrowed:
            impacts.record(doors.state, found, actor=doors.actor())
    if picture is not None:
        write_pictures(picture, f"Impact of {found.store}", [impacts.success_of(found)])
    if json:
        print_json(found)
        return
    _show(found, home)


def _show(found: impacts.Impact, home: Path | None) -> None:
    rows = impacts.table(found)
    console.print(f"Impact of {found.store!r}, version {found.store_version}", style="bold", markup=False)
    if rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        console.print("The store has no version that says anything yet.")
    console.print()
    for line in impacts.timeline(found):
        console.print(line, markup=False)
    console.print()
    for line in impacts.notes(found):
        console.print(line, markup=False)
    at_home = f" --home {home}" if home else ""
    for step in found.worse:
        is_open = step.undone_by is None
        style = "red" if is_open else "dim"
        console.print(f"{impacts.named(step).capitalize()}: {step.why}.", style=style, markup=False)
        if is_open:
            command = impacts.restore_command(found.store, step.restore_to).removeprefix("agentflows")
            also = impacts.lost_too(step.version, found.store_version)
            console.print(f"  Undo: {program()}{command}{at_home}{also}", markup=False)
        else:
            console.print(f"  Undone by version {step.undone_by}.", markup=False)
