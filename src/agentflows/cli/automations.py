"""`agentflows automations`: crashed runs are noticed, and a person is told of what waits."""

import os
from typing import Annotated

import typer

from agentflows.cli.output import JsonOption, console, print_json
from agentflows.cli.serve import named_server
from agentflows.project import load_helper


def automations(
    notify: Annotated[
        str, typer.Option(help="Tell this notification block (TYPE/NAME, such as slack-webhook/ops)")
    ] = "",
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take them out again")] = False,
    json: JsonOption = False,
) -> None:
    """Have the Prefect server notice crashed runs; with --notify also tell of held changes, failed runs and reached budgets.

    A second time changes nothing. What is told has ids and counts, and no words of a session or a memory.

    JSON: {automations: {NAME: made | changed | as it was | removed}}
    """
    os.environ["PREFECT_API_URL"] = named_server().url
    script = load_helper("_automations")
    done: dict[str, str] = script.remove() if remove else script.apply(notify)
    if json:
        print_json({"automations": done})
        return
    for name, became in done.items():
        console.print(f"{became}: {name}", markup=False)
    if not done:
        console.print("There was none.")
    elif not remove and not notify:
        console.print(
            "Nobody is told of anything yet: make a notification block, and name it with --notify TYPE/NAME."
        )
