"""`agentflows memory pin`, `unpin` and `pins`: entries that only a person may touch."""

from typing import Annotated

import typer

from agentflows import lineage
from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, print_table
from agentflows.home import open_home
from agentflows.store import pinned_ids

EntryArgument = Annotated[
    str,
    typer.Argument(metavar="ENTRY", help="An entry's id (/learned.md#ab12…), or words that only it holds"),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Kept on record")]
ByOption = Annotated[str, typer.Option("--by", help="Who acts (default: AGENTFLOWS_REVIEWER or your login)")]


def pin(
    entry: EntryArgument,
    store: StoreOption = "team",
    reason: ReasonOption = "",
    by: ByOption = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Pin an entry: no dream and no forgetting retires, merges, supersedes or narrows it.

    The pin names the entry's text: it survives edits elsewhere in the memory, and lapses when you edit the entry.

    JSON: {entry_id, pin}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        named = lineage.find_entry(doors.state.files(found.store_id), entry)
        made = doors.state.pin(found.store_id, named, actor=doors.actor(by), reason=reason)
    if json:
        print_json({"entry_id": named.entry_id, "pin": made})
    else:
        console.print(f"{named.entry_id} is pinned, by {made.pinned_by}.", markup=False)


def unpin(
    entry: EntryArgument,
    store: StoreOption = "team",
    by: ByOption = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Take the pin off an entry, also off one that was edited since.

    JSON: {entry_id}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        named = lineage.find_pin(doors.state.pins(found.store_id), entry)
        doors.state.unpin(found.store_id, named.path, named.entry_sha256, actor=doors.actor(by))
    if json:
        print_json({"entry_id": named.entry_id})
    else:
        console.print(f"{named.entry_id} is not pinned any more.", markup=False)


def pins(store: StoreOption = "team", home: HomeOption = None, *, json: JsonOption = False) -> None:
    """List what is pinned, and which pins lapsed because the entry was edited.

    JSON: {pins: [{entry_id, path, text, pinned_by, pinned_at, reason, stands}]}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        listed = doors.state.pins(found.store_id)
        standing = pinned_ids(listed, doors.state.files(found.store_id))
    if json:
        print_json(
            {
                "pins": [
                    {
                        **item.model_dump(mode="json"),
                        "entry_id": item.entry_id,
                        "stands": item.entry_id in standing,
                    }
                    for item in listed
                ]
            }
        )
        return
    rows = [
        [
            item.entry_id,
            item.text,
            item.pinned_by,
            item.reason,
            "" if item.entry_id in standing else "edited since",
        ]
        for item in listed
    ]
    print_table(["entry", "text", "by", "why", ""], rows)
    if not rows:
        console.print(f"Nothing is pinned in {found.name!r}.", markup=False)
