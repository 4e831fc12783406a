"""`agentflows memory publish`: stores into the folders that agents mount."""

from pathlib import Path
from typing import Annotated

import typer

from agentflows.cli.output import HomeOption, JsonOption, console, print_json
from agentflows.errors import UsageError
from agentflows.home import open_home
from agentflows.publishing import publish as publish_store


def publish(
    store: Annotated[
        str, typer.Option("--store", help="The store; without it, every store that AGENTFLOWS_PUBLISH names")
    ] = "",
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder (default: the one AGENTFLOWS_PUBLISH names)")
    ] = None,
    home: HomeOption = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also over files that somebody else changed there")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write stores into the folders that agents mount: what differs, and nothing that somebody else changed.

    JSON: {published: [{store, version, folder, files, written, removed}]}
    """
    with open_home(home) as doors:
        stores = [store] if store else sorted(doors.settings.publish)
        if not stores:
            message = (
                "There is no store to publish. Name one with --store and --to, or set "
                'AGENTFLOWS_PUBLISH=\'{"team": "/path/to/folder"}\'.'
            )
            raise UsageError(message)
        if to is not None and not store:
            message = "--to names the folder of one store. Say which with --store."
            raise UsageError(message)
        done = [publish_store(doors, name, str(to or ""), overwrite=force) for name in stores]
    if json:
        print_json({"published": done})
        return
    for one in done:
        console.print(one.line, markup=False)
