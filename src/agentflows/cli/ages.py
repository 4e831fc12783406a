"""How old a memory is: `memory show --at` and `--dates`, `memory history --entry`, `memory recheck`."""

from collections.abc import Sequence
from datetime import date, datetime

from rich.text import Text

from agentflows import lineage
from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, program
from agentflows.errors import UsageError
from agentflows.home import open_home
from agentflows.lineage import Recheck, Validity
from agentflows.lineage.validity import NO_CLAIM
from agentflows.marks import reveal
from agentflows.memory import MemoryStore, parse_entries
from agentflows.store import State

_ALL = 1_000_000


def version_asked(state: State, store: MemoryStore, version: int | None, at: str) -> int:
    """The version that a person means: its number, the one in force at a time, or the newest."""
    if version is not None and at:
        message = "--version and --at both name a version. Give one of them."
        raise UsageError(message)
    if not at:
        return store.version if version is None else version
    moment = _moment(at)
    made = {row.store_version: row.created_at for row in state.versions(store.store_id, limit=_ALL)}
    return max((number for number, created in made.items() if created <= moment), default=0)


def _moment(text: str) -> datetime:
    """A time in UTC; a date alone means the end of that day."""
    from agentflows.dreaming import parse_time

    try:
        moment = parse_time(text)
    except ValueError as error:
        message = f"--at: {error}"
        raise UsageError(message) from error
    if moment is None:
        message = "--at needs a date such as 2026-03-01."
        raise UsageError(message)
    is_day = len(text.strip()) == len("2026-03-01")
    return moment.replace(hour=23, minute=59, second=59, microsecond=999_999) if is_day else moment


def entries_of(state: State, store: MemoryStore, path: str, version: int) -> list[Validity]:
    """The intervals of the entries that a memory held in a version."""
    wanted = path if path.startswith("/") else f"/{path}"
    ages = lineage.Ages(lineage.Records(state, store))
    then = {
        one.text: one
        for one in ages.stood
        if one.path == wanted
        and one.first_version <= version
        and (one.last_version is None or version < one.last_version)
    }
    content = state.files(store.store_id, version).get(wanted, "")
    entries = [entry for entry in parse_entries(wanted, content) if entry.kind not in NO_CLAIM]
    return [ages.of(then[entry.text]) for entry in entries]


def tell(state: State, store: MemoryStore, entry: str, *, json: bool) -> None:
    """What stood in an entry's place before it, itself, and what took its place."""
    ages = lineage.Ages(lineage.Records(state, store))
    chain = ages.chain(ages.named(entry))
    if json:
        print_json({"entry": chain})
    else:
        show_all(chain)


def show_all(entries: Sequence[Validity]) -> None:
    """Entries with their intervals."""
    for one in entries:
        _line(" ".join(reveal(one.text).split()), "green" if one.stands else "dim")
        for line in interval_lines(one):
            _line(f"    {line}")


def interval_lines(one: Validity) -> list[str]:
    """When it was true, when it was last confirmed, when the store said it, what took its place."""
    lines = [f"true {_since(one)}{_until(one)}"] if one.valid_from or one.valid_to else []
    if one.last_confirmed:
        lines.append(f"last confirmed {one.last_confirmed:%Y-%m-%d}")
    end = f" to {one.said_until:%Y-%m-%d %H:%M} (version {one.last_version})" if one.said_until else ""
    lines.append(f"in the store from {one.said_since:%Y-%m-%d %H:%M} (version {one.first_version}){end}")
    if one.replaced_by:
        by = f" by {one.replaced_by_change}" if one.replaced_by_change else ""
        lines.append(f"replaced{by}: {' '.join(reveal(one.replaced_by).split())}")
    return lines


def _since(one: Validity) -> str:
    return f"from {one.valid_from} ({one.from_why})" if one.valid_from else "since an unknown day"


def _until(one: Validity) -> str:
    past = ", which is past" if one.lapsed(date.today()) else ""  # noqa: DTZ011 - the reader's own day
    return f" to {one.valid_to} ({one.to_why}{past})" if one.valid_to else ""


def recheck(store: StoreOption = "team", home: HomeOption = None, *, json: JsonOption = False) -> None:
    """List the entries that should be looked at again, why, and in which sessions.

    Their time is over, their evidence is gone, one session spoke against them, or nothing confirmed them for long while
    newer sessions worked on the same. It is a question: nothing is retired for being old or unused.

    JSON: {store, due: [{entry_id, path, text, due, why, sessions, quotes, validity}]}
    """
    with open_home(home) as doors:
        found = doors.state.get_store(store)
        due = lineage.queue(lineage.Records(doors.state, found), doors.archive)
    if json:
        print_json({"store": found.name, "due": due})
        return
    for one in due:
        _show(one)
    at_home = f" --home {home}" if home else ""
    if due:
        console.print(f"Next: {program()} dream --store {found.name}{at_home}", style="dim", markup=False)
    else:
        console.print(f"Nothing of {found.name!r} needs to be looked at again.", markup=False)


def _show(one: Recheck) -> None:
    _line(f"{one.entry_id}  {one.due.replace('_', ' ')}", "bold")
    _line(f"    {' '.join(reveal(one.text).split())}", "green")
    _line(f"    {reveal(one.why)}")
    if one.sessions:
        _line(f"    look at: {', '.join(one.sessions)}", "dim")


def _line(text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
