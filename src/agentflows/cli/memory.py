"""`agentflows memory`: read a store and why it says so; pin, forget, restore; take it out or back in."""

from pathlib import Path
from typing import Annotated

import typer

from agentflows import lineage
from agentflows.cli import ages, importing, pinning, publishing
from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, print_table
from agentflows.cli.trace import show_forgotten, show_why
from agentflows.errors import NotFoundError
from agentflows.home import open_home
from agentflows.impact import flag_line

app = typer.Typer(
    help="Read memory stores, why they say so and since when; pin, forget, restore, export and import.",
    no_args_is_help=True,
)

ReasonOption = Annotated[str, typer.Option("--reason", help="Kept on record")]
ByOption = Annotated[str, typer.Option("--by", help="Who acts (default: AGENTFLOWS_REVIEWER or your login)")]


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
    at_time: Annotated[
        str,
        typer.Option(
            "--at", help="As the store said it then: a date such as 2026-03-01, with or without a time (UTC)"
        ),
    ] = "",
    home: HomeOption = None,
    *,
    dates: Annotated[
        bool,
        typer.Option(
            "--dates", help="Each entry with when it was true, when last confirmed, what replaced it"
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print one memory, byte for byte; with --at as it was believed then, with --dates entry by entry.

    JSON: {path, content, store_version}, with --dates also entries: [{entry_id, text, valid_from, valid_to,
    last_confirmed, said_since, said_until, replaced_by, …}]
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        at = ages.version_asked(doors.state, found, version, at_time)
        files = doors.state.files(found.store_id, at)
        entries = ages.entries_of(doors.state, found, path, at) if dates else []
    wanted = path if path.startswith("/") else f"/{path}"
    if wanted not in files:
        message = f"Store {found.name!r} version {at} has no memory {wanted!r}. It has: {', '.join(sorted(files)) or 'none'}."
        raise NotFoundError(message)
    if json:
        listed = {"entries": entries} if dates else {}
        print_json({"path": wanted, "content": files[wanted], "store_version": at, **listed})
    elif dates:
        ages.show_all(entries)
    else:
        typer.echo(files[wanted], nl=not files[wanted].endswith("\n"))


@app.command()
def history(
    store: StoreOption = "team",
    path: Annotated[str, typer.Option("--path", help="Only of this memory")] = "",
    entry: Annotated[
        str, typer.Option("--entry", help="Of one entry, that stands or stood: its id, or words of it")
    ] = "",
    limit: Annotated[int, typer.Option(help="The newest so many", min=1)] = 50,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """List every change to the store: who, when, what, and by which dream; and which version made sessions go worse.

    JSON: {versions: [{store_version, path, operation, created_by, created_at, dream_id, message, …}],
    impact: [{worse: {first_version, version, why, low, high}, raised_at, status, by_version, settled_at}]}; with --entry
    {entry: [{entry_id, text, valid_from, valid_to, last_confirmed, said_since, said_until, replaced_by, …}]}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        if entry:
            ages.tell(doors.state, found, entry, json=json)
            return
        versions = doors.state.versions(found.store_id, path=path or None, limit=limit)
        flags = doors.state.impact_flags(found.store_id)
    if json:
        print_json({"versions": versions, "impact": flags})
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
    for flag in flags:
        console.print(flag_line(found, flag), style="red" if flag.status == "open" else "dim", markup=False)


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
        flags = doors.state.impact_flags(found.store_id)
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
        for flag in flags:
            if flag.by_version == restored.version:
                console.print(flag_line(restored, flag), markup=False)


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
        done = doors.state.export_store(found.store_id, folder, overwrite=force)
    if json:
        print_json({"folder": str(folder), "written": list(done.files)})
    else:
        console.print(
            f"{len(done.files)} memories of {found.name!r} version {done.version} written to {folder}",
            markup=False,
        )


@app.command()
def why(
    entry: Annotated[
        str,
        typer.Argument(
            metavar="ENTRY",
            help="An entry's id (/learned.md#ab12…), words that only it holds, or a memory's path for all of its entries",
        ),
    ],
    store: StoreOption = "team",
    around: Annotated[int, typer.Option(help="Turns shown before and after a quote", min=0, max=50)] = 2,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Print the chain from an entry to its proof: changes, approvals, sessions, each quote in its context.

    JSON: {entries: [{entry_id, text, pin, written, links, pattern_keys, sessions, origins, quotes, forgotten, …}]}
    """
    with open_home(home) as doors:
        records = lineage.Records(doors.state, doors.state.get_store(store))
        entries = lineage.find_entries(records.files, entry)
        told = lineage.explain(records, doors.archive, entries, around=around)
    if json:
        print_json({"entries": told})
        return
    for one in told:
        show_why(one)
    if not told:
        console.print(f"{entry} has no entry.", markup=False)


@app.command()
def forget(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="A session's id, or the beginning of it")],
    reason: ReasonOption = "",
    by: ByOption = "",
    home: HomeOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown")] = False,
    keep_archive: Annotated[
        bool, typer.Option("--keep-archive", help="Leave the session itself in the archive")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what rests on SESSION in all stores, and with --yes take it out of them and out of the archive.

    Entries that rest on it alone go, or say again what they said before; those that rest on others too are counted
    anew. Exit code 3: done, and some entries wait for a person.

    JSON: {session_id, sub_agents, is_archived, is_done, stores: [{store_name, version, made_version, evidence,
    entries: [{action, entry_id, text, becomes, sessions, quotes, reason}]}], waiting, cached, archive_removed}
    """
    with open_home(home) as doors:
        if yes:
            result = lineage.forget(
                doors.state,
                doors.archive,
                session,
                actor=doors.actor(by),
                reason=reason,
                keep_archive=keep_archive,
                scan=doors.secret_in,
            )
        else:
            result = lineage.plan_forget(doors.state, doors.archive, session)
    if json:
        print_json(result)
    else:
        show_forgotten(result, home, keep_archive=keep_archive)
    if result.is_done and result.for_a_person:
        raise typer.Exit(3)


app.command("import")(importing.import_)
app.command("publish")(publishing.publish)
app.command("recheck")(ages.recheck)
app.command("pin")(pinning.pin)
app.command("unpin")(pinning.unpin)
app.command("pins")(pinning.pins)
