"""`agentflows memory import`: text files into a store, with a word on each secret or personal datum in them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, warn
from agentflows.errors import StoreError, UsageError
from agentflows.home import Home, open_home
from agentflows.store import import_files, refuse_secret

_NAMED = 10
"""So many lines are named; of the rest, how many there are."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One thing in a file that should not be read by everybody."""

    path: str
    line: int
    kind: str
    is_personal: bool


def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of text files, or one file such as CLAUDE.md")],
    store: StoreOption = "team",
    home: HomeOption = None,
    *,
    allow_secrets: Annotated[
        bool,
        typer.Option("--allow-secrets", help="Also lines with what looks like a password, a token or a key"),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Take text files into a store, which is made when missing. Memories of other paths stay.

    Files come in as they are, nothing is redacted: a new line with what looks like a password, a token or a key stops the
    import, unless --allow-secrets; one with an e-mail address or other personal data is named and comes in.

    JSON: {store, paths, found: [{path, line, kind, is_personal}]}
    """
    with open_home(home) as doors:
        actor = doors.actor()
        files = import_files(folder)
        if not files:
            message = (
                f"{str(folder)!r} holds no Markdown or text file to import. Name another folder or file."
            )
            raise UsageError(message)
        is_there = any(store in {item.name, item.store_id} for item in doors.state.list_stores())
        standing = doors.state.files(store) if is_there else {}
        found = [
            one for path, text in files.items() for one in _found(doors, path, standing.get(path, ""), text)
        ]
        _check(doors, files, standing, found, allow_secrets=allow_secrets)
        if not is_there:  # only now: a store made by mistake cannot be unmade
            doors.state.create_store(store, actor=actor)
        scan = doors.canary_in if allow_secrets else doors.credential_in
        made = doors.state.import_folder(store, folder, actor=actor, scan=scan)
        paths = [item.path for item in doors.state.memories(made.store_id)]
    warn(_told(found))
    if json:
        print_json({"store": made, "paths": paths, "found": [asdict(one) for one in found]})
    else:
        console.print(f"{made.name!r} is at version {made.version} with {len(paths)} memories.", markup=False)


def _found(doors: Home, path: str, before: str, after: str) -> list[_Found]:
    """What lines hold that the memory does not say yet."""
    stands, lines = set(before.split("\n")), after.split("\n")
    found: list[_Found] = []
    for one in doors.findings(after):
        first, last = after.count("\n", 0, one.start), after.count("\n", 0, one.end)
        if not stands.issuperset(lines[first : last + 1]):
            found.append(_Found(path, first + 1, one.kind, one.is_personal))
    return found


def _check(
    doors: Home,
    files: dict[str, str],
    standing: dict[str, str],
    found: Sequence[_Found],
    *,
    allow_secrets: bool,
) -> None:
    """Refuse the import before anything is written.

    Raises:
        StoreError: a file holds a canary, or a secret that nobody allowed.
    """
    for path, text in files.items():
        refuse_secret(path, standing.get(path, ""), text, doors.canary_in)
    secrets = [one for one in found if not one.is_personal]
    if secrets and not allow_secrets:
        message = (
            f"What looks like a secret stands in {_places(secrets)}. Nothing was written: every agent that mounts the "
            "store would read it. Take it out of the file and import again; or, where it is none or may be read, "
            "import with --allow-secrets."
        )
        raise StoreError(message)


def _told(found: Sequence[_Found]) -> list[str]:
    personal = [one for one in found if one.is_personal]
    secrets = [one for one in found if not one.is_personal]
    told = [f"What looks like a secret came in as it is: {_places(secrets)}."] if secrets else []
    return told + ([f"Personal data came in as it is: {_places(personal)}."] if personal else [])


def _places(found: Sequence[_Found]) -> str:
    named = ", ".join(f"{one.path} line {one.line} ({one.kind})" for one in found[:_NAMED])
    return named if len(found) <= _NAMED else f"{named} and {len(found) - _NAMED} more"
