"""How a dream, a review and the archive look in a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from agentflows.change import Change, ChangeOp, DreamReport, Quote, Refusal
from agentflows.cli.orders import Order, show_orders
from agentflows.cli.output import console, print_table, program
from agentflows.dream import next_commands, telling, unread_line
from agentflows.marks import reveal
from agentflows.review import ReviewResult

if TYPE_CHECKING:
    from agentflows.archive import AddReport, ArchiveStats

_QUOTES = 3
_QUOTE_CHARS = 240
_REFUSALS = 6
_SIGN: dict[ChangeOp, str] = {
    "add": "+",
    "reinforce": "=",
    "merge": "><",
    "supersede": "~",
    "narrow": "~",
    "retire": "-",
    "flag": "?",
}
_WRITES_NOTHING = ("reinforce", "flag")
_SETS_ASIDE = 'archive sql "SELECT * FROM quarantine"'
_TIERS = {1: "tool", 2: "agent", 3: "user"}


def show_dream(
    report: DreamReport,
    home: Path | None,
    *,
    full: bool = False,
    demo: bool = False,
    orders: Sequence[Order] = (),
) -> None:
    """What a dream read, what it proposes with which proof, what waits, and what to do next.

    `full` shows every quote and every refusal that the report holds; `demo` shows some refusals and
    the standing `orders` that were not taken.
    """
    dream, coverage = report.dream, report.coverage
    _head(f"Dream {dream.dream_id} over store {dream.store_name!r}")
    _line(
        f"Read {coverage.read + coverage.from_cache:,} of {coverage.selected:,} selected sessions "
        f"({coverage.turns:,} turns; {coverage.from_cache:,} known from earlier; {coverage.archived:,} in the archive)"
    )
    engine = [note for note in report.notes[:1] if note.startswith("Engine ")]
    for note in engine:
        _line(note, style="dim")
    if dream.error:
        _line(f"{dream.status}: {reveal(dream.error)}", style="red")
    for number, change in enumerate(report.changes, 1):
        _change(number, change, full=full)
    if coverage.unread:
        told = [f"{share.read:,} of {share.of:,} {share.what}" for share in coverage.shares]
        _line(f"{unread_line(report)} What was read covers {', '.join(told)}.", style="yellow")
    if not report.changes and dream.status == "completed":
        _line(
            "\nNothing to change: the store says already what these sessions show, or they show nothing with enough support."
        )
    if full or demo:
        show_refusals(report, None if full else _REFUSALS)
    show_orders(orders)
    _ledger(report)
    for note in report.notes[len(engine) :]:
        _line(note, style="dim")
    if not full and (report.refused or any(len(change.quotes) > _QUOTES for change in report.changes)):
        _line("(--full shows all quotes and refusals)", style="dim")
    _next(report, home, demo=demo)


def show_refusals(report: DreamReport, limit: int | None) -> None:
    """What the gates did not let through: gate, claim and reason; some of each gate when limited."""
    shown = report.refusals if limit is None else _some_of_each(report.refusals, limit)
    if not shown:
        return
    console.print()
    _line("Refused, and why", style="bold")
    for refusal in shown:
        _line(f"  {refusal.gate}: “{_short(refusal.claim)}”")
        _line(f"    {_short(refusal.reason)}", style="dim")
    more = sum(report.refused.values()) - len(shown)
    if more > 0:
        _line(f"  … {more:,} more", style="dim")


def _some_of_each(refusals: Sequence[Refusal], limit: int) -> list[Refusal]:
    """The first of each gate, then the second of each, up to the limit; in the report's order."""
    rank: dict[str, int] = {}
    places: list[tuple[int, int]] = []
    for place, refusal in enumerate(refusals):
        rank[refusal.gate] = rank.get(refusal.gate, 0) + 1
        places.append((rank[refusal.gate], place))
    return [refusals[place] for place in sorted(place for _, place in sorted(places)[:limit])]


def _short(text: str) -> str:
    text = " ".join(reveal(text).split())
    return text if len(text) <= _QUOTE_CHARS else text[: _QUOTE_CHARS - 1] + "…"


def _change(number: int, change: Change, *, full: bool) -> None:
    support = _count(change.support, "session")
    if change.counted > change.support:
        support = f"{support} read, {change.counted:,} counted"
    against = f", {change.support_against} against" if change.support_against else ""
    place = reveal(change.path + (f" · {change.heading}" if change.heading else ""))
    console.print()
    console.print(
        Text(f"{number:>3} {_SIGN[change.op]} {change.op}  {place}  ({support}{against})", style="bold cyan")
    )
    if change.op in _WRITES_NOTHING:
        _diff(_SIGN[change.op], change.before or "", "dim")
    else:
        if change.before and change.after != change.before:
            _diff("-", change.before, "red")
        if change.after:
            _diff("+", change.after, "green")
    _line(f"    why: {reveal(change.reason)}")
    quotes = telling(change.quotes)
    for quote in quotes if full else quotes[:_QUOTES]:
        _quote(quote)
    if not full and len(quotes) > _QUOTES:
        _line(f"      … {_count(len(quotes) - _QUOTES, 'more quote')}", style="dim")
    status = reveal(change.status + (f": {change.status_reason}" if change.status_reason else ""))
    _line(f"    {status}", style="yellow" if change.status == "held" else "dim")


def _diff(sign: str, text: str, style: str) -> None:
    for line in reveal(text).split("\n"):
        _line(f"    {sign} {line}".rstrip(), style=style)


def _quote(quote: Quote) -> None:
    when = f", {quote.at:%Y-%m-%d}" if quote.at else ""
    _line(f"      “{_short(quote.text)}”", style="italic")
    _line(f"        {reveal(quote.address)} · {_TIERS[quote.trust]}{when}", style="dim")


def _ledger(report: DreamReport) -> None:
    counts = (
        ", ".join(f"{count:,} {fate}" for fate, count in sorted(report.ledger.counts.items()))
        or "the store is empty"
    )
    console.print()
    _line(f"Ledger: {len(report.ledger.lines):,} entries: {counts}")
    if report.refused:
        refused = ", ".join(
            f"{count:,} by {gate}"
            for gate, count in sorted(report.refused.items(), key=lambda item: -item[1])
        )
        _line(f"Refused: {refused}")
    if report.cost.calls:
        _line(
            f"Cost: {report.cost.calls:,} calls, {report.cost.usage.total:,} tokens, ${report.cost.dollars:.4f}"
        )


def _next(report: DreamReport, home: Path | None, *, demo: bool) -> None:
    held = sum(change.status == "held" for change in report.changes)
    committed = [change for change in report.changes if change.status == "committed"]
    noted = [change for change in committed if change.op in _WRITES_NOTHING]
    _committed(len(committed) - len(noted), len(noted), f"version {report.dream.output_version}")
    run, at_home = program(), f" --home {home}" if home else ""
    if held:
        _line(f"{held} held for review. Nothing of them is in the store yet.", style="yellow")
        console.print()
        _line("Next:", style="bold")
        for command in next_commands(report):
            _line(f"  {run}{command.removeprefix('agentflows')}{at_home}")
    if demo:
        _line("Your own sessions:", style="bold")
        _line(f"  {run} ingest ~/.claude/projects && {run} dream --store team")
        _line("With Claude (structured extraction, cached, with a budget):", style="bold")
        _line(f"  ANTHROPIC_API_KEY=… {run} dream --store team --engine claude --budget-dollars 5")


def _committed(written: int, noted: int, where: str) -> None:
    """What approved changes wrote, and how many of them write nothing by their nature."""
    if written:
        _line(f"{written} committed to {where}.", style="green")
    if noted:
        _line(f"{noted} noted, nothing written.", style="green")


def show_ingest(report: "AddReport", home: Path | None, *, demo: bool = False) -> None:
    """What was read and what was set aside; in a demo the dream follows by itself."""
    at_home = f" --home {home}" if home else ""
    _line(
        f"{_count(report.files, 'file')} ({report.unchanged_files:,} seen before): {report.added:,} sessions added, "
        f"{report.grown:,} grown, {report.unchanged:,} unchanged, {report.turns:,} turns"
    )
    _line(f"{report.accepted:,} of {report.lines:,} lines accepted, {report.quarantined:,} quarantined")
    if report.quarantined:
        _line(f"  see them: {program()} {_SETS_ASIDE}{at_home}", style="dim")
    if report.changed:
        _line(
            f"{_count(report.changed, 'session')} changed in a way that is not growth; both readings are kept and flagged",
            style="yellow",
        )
    if report.redactions:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.redactions.items()))
        _line(f"Redacted before storage: {kinds}")
    if not demo:
        _line(f"Next: {program()} dream --store team{at_home}", style="dim")


def show_review(result: ReviewResult, home: Path | None) -> None:
    """What a decision did."""
    written = len(result.committed) - len(result.noted)
    _committed(written, len(result.noted), f"{result.store_name!r} version {result.store_version}")
    if result.rejected:
        _line(f"{len(result.rejected)} rejected; later dreams will not propose them again.")
    for change_id, why in result.refused.items():
        _line(f"{change_id} refused: {why}", style="yellow")
    _line(f"{result.still_held} still held.")
    if result.flags:
        numbers = ",".join(map(str, result.flags))
        need = "flag still needs" if len(result.flags) == 1 else "flags still need"
        _line(
            f"{len(result.flags)} {need} you: `--resolve {result.flags[0]}=keep-first` (or keep-second, keep-both, drop, edit) "
            f"writes your answer, `--only {numbers}` says that you have looked",
            style="yellow",
        )
    if result.store_version is not None:
        at_home = f" --home {home}" if home else ""
        store = f"--store {result.store_name}{at_home}"
        _line(f"Undo: {program()} memory restore {result.store_version - 1} {store}", style="dim")


def show_stats(stats: "ArchiveStats") -> None:
    """The archive at a glance."""
    rows = [[name.replace("_", " "), value] for name, value in stats.model_dump(mode="json").items()]
    print_table(["", ""], rows)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _head(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _line(text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
