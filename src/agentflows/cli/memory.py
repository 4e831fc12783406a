"""`agentflows memory`: read a store, its history, and take it out or back in."""

from pathlib import Path
from typing import Annotated

import typer

from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, print_table
from agentflows.errors import NotFoundError
from agentflows.home import open_home

app = typer.Typer(
    help="Read memory stores and their history; restore, export and import them.", no_args_is_help=True
)


@app.command("list")
def list_(
    store: Annotated[str, typer.Option("--store", help="The store; without it, all stores are listed")] = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """List the stores, or the memories of one.

    JSON: {stores: […]} or {store, memories: [{path, bytes, content_sha256, updated_at}]}
    """
    with open_home(home) as doors:
        if not store:
            stores = doors.state.list_stores()
            if json:
                print_json({"stores": stores})
                return
            rows = [
                [item.name, item.version, len(doors.state.memories(item.store_id)), item.description]
                for item in stores
            ]
            print_table(["store", "version", "memories", "description"], rows)
            if not rows:
                console.print(
                    "No store yet. `agentflows dream --store NAME` or `agentflows memory import DIR --store NAME` makes one."
                )
            return
        found = doors.state.get_store(store)
        memories = doors.state.memories(found.store_id)
    listed = [
        {
            "path": item.path,
            "bytes": len(item.content.encode()),
            "content_sha256": item.content_sha256,
            "updated_at": item.updated_at,
        }
        for item in memories
    ]
    if json:
        print_json({"store": found, "memories": listed})
    else:
        print_table(
            ["path", "bytes", "updated"],
            [[item["path"], item["bytes"], item["updated_at"]] for item in listed],
        )
        console.print(f"{len(listed)} memories in {found.name!r}, version {found.version}", markup=False)


@app.command()
def show(
    path: Annotated[str, typer.Argument(help="The memory's path, such as /learned.md")],
    store: StoreOption = "team",
    version: Annotated[int | None, typer.Option("--version", help="As it was in this store version")] = None,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Print one memory, byte for byte.

    JSON: {path, content, store_version}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        at = found.version if version is None else version
        files = doors.state.files(found.store_id, at)
    wanted = path if path.startswith("/") else f"/{path}"
    if wanted not in files:
        message = f"Store {found.name!r} version {at} has no memory {wanted!r}. It has: {', '.join(sorted(files)) or 'none'}."
        raise NotFoundError(message)
    if json:
        print_json({"path": wanted, "content": files[wanted], "store_version": at})
    else:
        typer.echo(files[wanted], nl=not files[wanted].endswith("\n"))


@app.command()
def history(
    store: StoreOption = "team",
    path: Annotated[str, typer.Option("--path", help="Only of this memory")] = "",
    limit: Annotated[int, typer.Option(help="The newest so many", min=1)] = 50,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """List every change to the store: who, when, what, and by which dream.

    JSON: {versions: [{store_version, path, operation, created_by, created_at, dream_id, message, …}]}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        versions = doors.state.versions(found.store_id, path=path or None, limit=limit)
    if json:
        print_json({"versions": versions})
        return
    rows = [
        [
            item.store_version,
            f"{item.created_at:%Y-%m-%d %H:%M}",
            item.operation,
            item.path,
            item.created_by.name,
            item.message,
        ]
        for item in versions
    ]
    print_table(["version", "when", "what", "memory", "who", "why"], rows)


@app.command()
def restore(
    version: Annotated[int, typer.Argument(help="The store version to go back to; see `memory history`")],
    store: StoreOption = "team",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Make the store say again what it said in VERSION. This is a new version: nothing is lost.

    JSON: {store}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        restored = doors.state.restore(found.store_id, version, actor=doors.actor())
    if json:
        print_json({"store": restored})
    elif restored.version == found.version:
        console.print(
            f"{found.name!r} says already what it said in version {version}; nothing was written.",
            markup=False,
        )
    else:
        console.print(
            f"{found.name!r} version {restored.version} says what version {version} said.", markup=False
        )


@app.command("export")
def export_(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made when missing")],
    store: StoreOption = "team",
    home: HomeOption = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ")] = False,
    json: JsonOption = False,
) -> None:
    """Write the store's memories as files, for an agent to mount or a repository to keep.

    JSON: {folder, written}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        written = doors.state.export_store(found.store_id, folder, overwrite=force)
    if json:
        print_json({"folder": str(folder), "written": written})
    else:
        console.print(
            f"{len(written)} memories of {found.name!r} version {found.version} written to {folder}",
            markup=False,
        )


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of text files, or one file such as CLAUDE.md")],
    store: StoreOption = "team",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Take text files into a store, which is made when missing. Memories of other paths stay.

    JSON: {store, paths}
    """
    with open_home(home) as doors:
        actor = doors.actor()
        if not any(store in {item.name, item.store_id} for item in doors.state.list_stores()):
            doors.state.create_store(store, actor=actor)
        found = doors.state.import_folder(store, folder, actor=actor)
        paths = [item.path for item in doors.state.memories(found.store_id)]
    if json:
        print_json({"store": found, "paths": paths})
    else:
        console.print(
            f"{found.name!r} is at version {found.version} with {len(paths)} memories.", markup=False
        )
