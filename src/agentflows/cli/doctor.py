"""`agentflows doctor`: what works here, what does not, and the exact fix."""

from typing import Annotated

import typer
from rich.text import Text

from agentflows.cli.output import HomeOption, JsonOption, console, print_json
from agentflows.diagnosis import Check
from agentflows.diagnosis import doctor as diagnose
from agentflows.marks import reveal

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    home: HomeOption = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each answer of a server", min=0.1)
    ] = 5.0,
    *,
    json: JsonOption = False,
) -> None:
    """Check this installation: packages, home, state, archive, sandbox, model, and all that is to be there of Prefect.

    That is the server and who may use it, workers, deployments, and whether crashed runs are noticed.

    Exit code 1 when something that is needed does not work. Nothing is made, changed or paid by looking.

    JSON: {healthy, checks: [{name, status, found, fix}]}
    """
    found = diagnose(home, timeout_seconds=timeout)
    if json:
        print_json({"healthy": found.is_healthy, "checks": list(found.checks)})
    else:
        for check in found.checks:
            _show(check)
        problems = sum(check.status == "problem" for check in found.checks)
        console.print(
            f"{problems} problem{'s' if problems != 1 else ''}." if problems else "Ready.", style="bold"
        )
    if not found.is_healthy:
        raise typer.Exit(1)


def _show(check: Check) -> None:
    line = Text(f"{check.status:<8}", style=_STYLES[check.status])
    console.print(
        line.append(f"{check.name:<12}", style="bold").append(reveal(check.found), style="not bold default")
    )
    if check.fix:
        console.print(Text(f"{'':<20}fix: {reveal(check.fix)}", style="default"))
