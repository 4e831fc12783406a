"""How the lineage of an entry, and what forgetting comes to, look in a terminal."""

from pathlib import Path

from rich.text import Text

from agentflows.cli.ages import interval_lines
from agentflows.cli.output import console, program
from agentflows.lineage import (
    ContextTurn,
    EntryFate,
    Forgotten,
    Link,
    QuoteInContext,
    StoreForgotten,
    Why,
)
from agentflows.marks import reveal

_TIERS = {1: "tool", 2: "agent", 3: "user"}
_COLOURS = {"removed": "red", "left": "yellow", "kept": "dim"}
_OPENING, _CLOSING = "»", "«"
"""Around a quote in its turn: seen without colours, too."""


def show_why(why: Why) -> None:
    """An entry, what made it, who let it in, and its quotes in their context."""
    console.print()
    _line(why.entry_id, "bold")
    for line in reveal(why.text).split("\n"):
        _line(f"    {line}", "green")
    if why.pin:
        because = f": {reveal(why.pin.reason)}" if why.pin.reason else ""
        _line(f"  pinned by {why.pin.pinned_by} on {why.pin.pinned_at:%Y-%m-%d}{because}", "yellow")
    if why.validity:
        for line in interval_lines(why.validity)[:-1]:
            _line(f"  {line}")
    _written(why)
    for link in why.links:
        _link(link)
    if why.links:
        keys = ", ".join(why.pattern_keys)
        _line(
            f"  rests on {_count(why.sessions, 'session')}; {_count(len(why.quotes), 'quote')} on record, of "
            f"{_count(why.origins, 'origin')}" + (f"; pattern {reveal(keys)}" if keys else "")
        )
    for quote in why.quotes:
        _quote(quote)
    if why.forgotten:
        _line(f"  forgotten since: {', '.join(why.forgotten)}", "dim")


def _written(why: Why) -> None:
    written = why.written
    if written is None:
        return
    message = f" ({reveal(written.message)})" if written.message else ""
    _line(
        f"  stands since version {written.store_version}: {written.by.name}, {written.at:%Y-%m-%d %H:%M}{message}"
    )
    if not why.links and written.dream_id:
        _line(f"  {written.dream_id} wrote it to hold what it added; it claims nothing", "dim")
    elif not why.links:
        _line("  no dream made it and none found evidence for it", "dim")


def _link(link: Link) -> None:
    role = {"made": "made by", "reinforced": "reinforced by", "earlier": "earlier"}[link.role]
    _line(
        f"  {role} {link.op} {link.change_id} of {link.dream_id} ({link.engine or 'dream not on record'}, "
        f"{link.dreamt_at:%Y-%m-%d}), version {link.store_version}, {_count(link.sessions, 'session')}",
        "cyan",
    )
    _line(f"      {reveal(link.reason)}")
    if link.before and link.op != "reinforce":
        _line(f"      before: {' '.join(reveal(link.before).split())}", "dim")
    if link.decided_by and link.decided_at:
        why = f": {reveal(link.decided_why)}" if link.decided_why else ""
        edited = " with a text of their own" if link.was_edited else ""
        _line(f"      approved by {link.decided_by} on {link.decided_at:%Y-%m-%d %H:%M}{edited}{why}")


def _quote(quote: QuoteInContext) -> None:
    when = f", {quote.at:%Y-%m-%d %H:%M}" if quote.at else ""
    console.print()
    _line(f"  {quote.address} · {_TIERS[quote.trust]}{when}", "bold")
    if quote.problem:
        words = f"“{' '.join(reveal(quote.text).split())}”" if quote.text else "its words are not on record"
        _line(f"      {words}", "italic")
        _line(f"      {quote.problem}", "yellow")
        return
    for turn in quote.context:
        _turn(turn)


def _turn(turn: ContextTurn) -> None:
    who = f"{turn.kind}{f' {reveal(turn.tool)}' if turn.tool else ''}"
    start, end = turn.quote_start, turn.quote_end
    if start < 0:
        _line(f"    {turn.seq:>5} {who}: {_flat(turn.text)}", "dim")
        return
    line = Text(f"    {turn.seq:>5} {who}: {_flat(turn.text[:start])}")
    line.append(f"{_OPENING}{_flat(turn.text[start:end])}{_CLOSING}", style="bold reverse")
    console.print(line.append(_flat(turn.text[end:])))


def _flat(text: str) -> str:
    """On one line, with what would touch the quote kept apart from it."""
    flat = " ".join(reveal(text).split())
    return f"{' ' if text[:1].isspace() else ''}{flat}{' ' if flat and text[-1:].isspace() else ''}"


def show_forgotten(result: Forgotten, home: Path | None, *, keep_archive: bool) -> None:
    """What forgetting a session did, or would do, store by store."""
    agents = f" and {_count(len(result.sub_agents), 'sub-agent')}" if result.sub_agents else ""
    _line(f"Session {result.session_id}{agents}", "bold")
    for store in result.stores:
        _store(store, is_done=result.is_done)
    if not result.stores:
        _line("  No entry of any store rests on it.")
    for fate in result.waiting:
        _line(f"  {fate.change_id} of {fate.dream_id} {fate.action}: {reveal(fate.reason)}", "yellow")
    if result.cached:
        _line(
            f"  {_count(result.cached, 'kept answer')} about it {'are' if result.is_done else 'will be'} deleted"
        )
    _archive(result, keep_archive=keep_archive)
    at_home = f" --home {home}" if home else ""
    if not result.is_done:
        keep = " --keep-archive" if keep_archive else ""
        _line("Nothing was done yet. To do it:", "bold")
        _line(f"  {program()} memory forget {result.session_id} --yes{keep}{at_home}")
        return
    for store in result.stores:
        if store.made_version is not None:
            _line(
                f"Undo: {program()} memory restore {store.version} --store {store.store_name}{at_home} (the texts; "
                "neither the session nor the evidence comes back)",
                "dim",
            )
    _line(
        "Earlier versions of the stores, reports of dreams, exports and Prefect's artifacts still hold what was said.",
        "dim",
    )


def _store(store: StoreForgotten, *, is_done: bool) -> None:
    made = f", now version {store.made_version}" if store.made_version is not None else ""
    _line(
        f"  Store {store.store_name!r} version {store.version}{made}: {_count(store.evidence, 'quote')} of it "
        f"{'goes' if store.evidence == 1 else 'go'}"
    )
    for entry in store.entries:
        _entry(entry)
    if store.for_a_person:
        when = "" if is_done else " will"
        _line(
            f"    {_count(len(store.for_a_person), 'entry', 'entries')}{when} wait for you (left, above)",
            "yellow",
        )


def _entry(entry: EntryFate) -> None:
    text = " ".join(reveal(entry.text).split())
    _line(f"    {entry.action:<9} {entry.path}: {text}", _COLOURS.get(entry.action, "cyan"))
    if entry.becomes is not None:
        _line(f"              → {' '.join(reveal(entry.becomes).split())}", "green")
    _line(f"              {reveal(entry.reason)}", "dim")


def _archive(result: Forgotten, *, keep_archive: bool) -> None:
    if keep_archive:
        _line("  It stays in the archive: the next dream may learn from it again.", "yellow")
    elif result.is_done:
        _line(f"  {_count(result.archive_removed, 'session')} left the archive, for good.")
    elif result.is_archived:
        _line(
            "  It will leave the archive with its raw lines, for good; reading it in again will not bring it back."
        )
    else:
        _line("  It is not in the archive.", "dim")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _line(text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
