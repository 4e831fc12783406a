"""Which commands there are, and where each stands: a command's module is imported when it is used, not before."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand


class Place(NamedTuple):
    """Where a command is written, and how the list of all commands tells of it."""

    module: str
    name: str
    """Of a function, or of a group of commands."""
    told: str
    """The first sentence of its help: a test holds the two together."""


COMMANDS: dict[str, Place] = {
    "ingest": Place(
        "work",
        "ingest",
        "Read native session logs into the archive: redacted, with the trust of every turn. Idempotent.",
    ),
    "dream": Place(
        "work",
        "dream",
        "Review past sessions beside a memory store and propose what it should say, with the quotes that prove it.",
    ),
    "review": Place("review", "app", "Read held changes and decide on them, one by one."),
    "outcome": Place(
        "outcome",
        "app",
        'Have an agent work until a rubric is satisfied: agentflows outcome "TASK" --rubric FILE --agent FILE --workspace DIR.',
    ),
    "rubric": Place("rubric", "app", "Write rubrics that can be graded: show, lint, draft, prove, agree."),
    "orchestrate": Place(
        "orchestrate",
        "orchestrate",
        "Have a team do a job: its lead splits it among specialists who work at once, or a plan says who does what.",
    ),
    "threads": Place(
        "orchestrate",
        "threads",
        "Every thread of a job, live and afterwards: what it was told, what it did, what it left, what it cost.",
    ),
    "memory": Place(
        "memory",
        "app",
        "Read memory stores, why they say so and since when; pin, forget, restore, export and import.",
    ),
    "archive": Place(
        "archive", "app", "Question all archived sessions: figures, text search, pattern queries, SQL."
    ),
    "impact": Place(
        "impact",
        "impact",
        "Compare how sessions ended before and after each version of a store, within tasks, with 95 % intervals.",
    ),
    "picture": Place(
        "picture",
        "pictures",
        "Draw what an installation knows about itself. Without --to, NAME.svg (one) or pictures.html (several) is written here.",
    ),
    "serve": Place(
        "serve",
        "serve",
        "Serve every deployment of prefect.yaml from this one process: no work pool and no worker are needed.",
    ),
    "automations": Place(
        "automations",
        "automations",
        "Have the Prefect server notice crashed runs; with --notify also tell of held changes, failed runs and reached budgets.",
    ),
    "ui": Place(
        "ui",
        "ui",
        "Read stores, dreams, sessions, jobs and outcomes in the browser, and with --write decide on held changes.",
    ),
    "doctor": Place(
        "doctor",
        "doctor",
        "Check this installation: packages, home, state, archive, sandbox, model, and all that is to be there of Prefect.",
    ),
    "init": Place(
        "work",
        "init",
        "Lay down a project to edit: flows/, prefect.yaml and the examples. Files that exist are kept.",
    ),
    "demo": Place(
        "work", "demo", "Dream over the bundled example sessions, with no key and no server of your own."
    ),
}
"""In the order in which they are listed."""


class Commands(MutableMapping[str, Any]):
    """The commands by name, each made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, COMMANDS[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS


def _made(name: str, place: Place) -> Any:
    found = getattr(import_module(f"agentflows.cli.{place.module}"), place.name)
    if isinstance(found, typer.Typer):
        group: Any = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


def listed(name: str) -> TyperCommand:
    """What the list of all commands shows of one, without importing it."""
    return TyperCommand(name=name, help=COMMANDS[name].told)
