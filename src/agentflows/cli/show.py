"""How a dream, a review and the archive look in a terminal."""

from pathlib import Path

from rich.text import Text

from agentflows.archive import AddReport, ArchiveStats
from agentflows.change import Change, ChangeOp, DreamReport, Quote
from agentflows.cli.output import console, print_table, program
from agentflows.dream import telling
from agentflows.dream.marks import reveal
from agentflows.review import ReviewResult

_QUOTES = 3
_QUOTE_CHARS = 240
_SIGN: dict[ChangeOp, str] = {
    "add": "+",
    "reinforce": "=",
    "merge": "><",
    "supersede": "~",
    "narrow": "~",
    "retire": "-",
    "flag": "?",
}
_TIERS = {1: "tool", 2: "agent", 3: "user"}


def show_dream(report: DreamReport, home: Path | None, *, demo: bool = False) -> None:
    """What a dream read, what it proposes with which proof, what waits, and what to do next."""
    dream, coverage = report.dream, report.coverage
    _head(f"Dream {dream.dream_id} over store {dream.store_name!r}")
    _line(
        f"Read {coverage.read + coverage.from_cache:,} of {coverage.selected:,} selected sessions "
        f"({coverage.turns:,} turns; {coverage.from_cache:,} known from earlier; {coverage.archived:,} in the archive)"
    )
    for note in report.notes:
        _line(note, style="dim")
    if dream.error:
        _line(f"{dream.status}: {dream.error}", style="red")
    for number, change in enumerate(report.changes, 1):
        _change(number, change)
    if not report.changes:
        _line(
            "\nNothing to change: the store says already what these sessions show, or they show nothing with enough support."
        )
    _ledger(report)
    _next(report, home, demo=demo)


def _change(number: int, change: Change) -> None:
    support = f"{change.support} session{'s' if change.support != 1 else ''}"
    against = f", {change.support_against} against" if change.support_against else ""
    place = change.path + (f" · {change.heading}" if change.heading else "")
    console.print()
    console.print(
        Text(f"{number:>3} {_SIGN[change.op]} {change.op}  {place}  ({support}{against})", style="bold cyan")
    )
    if change.before and change.after != change.before:
        _diff("-", change.before, "red")
    if change.after and change.op != "reinforce":
        _diff("+", change.after, "green")
    _line(f"    why: {reveal(change.reason)}")
    for quote in telling(change.quotes)[:_QUOTES]:
        _quote(quote)
    if len(change.quotes) > _QUOTES:
        _line(f"      … {len(change.quotes) - _QUOTES} more quotes", style="dim")
    status = change.status + (f": {change.status_reason}" if change.status_reason else "")
    _line(f"    {status}", style="yellow" if change.status == "held" else "dim")


def _diff(sign: str, text: str, style: str) -> None:
    for line in reveal(text).split("\n"):
        _line(f"    {sign} {line}", style=style)


def _quote(quote: Quote) -> None:
    text = " ".join(reveal(quote.text).split())
    text = text if len(text) <= _QUOTE_CHARS else text[: _QUOTE_CHARS - 1] + "…"
    when = f", {quote.at:%Y-%m-%d}" if quote.at else ""
    _line(f"      “{text}”", style="italic")
    _line(f"        {quote.address} · {_TIERS[quote.trust]}{when}", style="dim")


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
    committed = sum(change.status == "committed" for change in report.changes)
    if committed:
        _line(f"{committed} committed to version {report.dream.output_version}.")
    at_home = f" --home {home}" if home else ""
    run, dream_id = program(), report.dream.dream_id
    if held:
        _line(f"{held} held for review. Nothing of them is in the store yet.", style="yellow")
        console.print()
        _line("Next:", style="bold")
        _line(f"  {run} review show {dream_id}{at_home}")
        _line(f"  {run} review approve {dream_id} --only 1,2{at_home}      # --edit 3 to change one first")
        _line(f"  {run} review reject {dream_id} --only 4 --reason 'one-off'{at_home}")
    if demo:
        _line("Your own sessions:", style="bold")
        _line(f"  {run} ingest ~/.claude/projects && {run} dream --store team")
        _line("With Claude (structured extraction, cached, with a budget):", style="bold")
        _line(f"  ANTHROPIC_API_KEY=… {run} dream --store team --engine claude --budget-dollars 5")


def show_ingest(report: AddReport, home: Path | None) -> None:
    """What was read and what was set aside."""
    _line(
        f"{report.files:,} files ({report.unchanged_files:,} seen before): {report.added:,} sessions added, "
        f"{report.grown:,} grown, {report.unchanged:,} unchanged, {report.turns:,} turns"
    )
    _line(f"{report.accepted:,} of {report.lines:,} lines accepted, {report.quarantined:,} quarantined")
    if report.changed:
        _line(
            f"{report.changed:,} sessions changed in a way that is not growth; both readings are kept and flagged",
            style="yellow",
        )
    if report.redactions:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.redactions.items()))
        _line(f"Redacted before storage: {kinds}")
    at_home = f" --home {home}" if home else ""
    _line(f"Next: {program()} dream --store team{at_home}", style="dim")


def show_review(result: ReviewResult, home: Path | None) -> None:
    """What a decision did."""
    if result.committed:
        _line(
            f"{len(result.committed)} committed to {result.store_name!r} version {result.store_version}.",
            style="green",
        )
    if result.rejected:
        _line(f"{len(result.rejected)} rejected; later dreams will not propose them again.")
    for change_id, why in result.refused.items():
        _line(f"{change_id} refused: {why}", style="yellow")
    _line(f"{result.still_held} still held.")
    if result.committed:
        at_home = f" --home {home}" if home else ""
        store = f"--store {result.store_name}{at_home}"
        _line(f"Undo: {program()} memory restore {(result.store_version or 1) - 1} {store}", style="dim")


def show_stats(stats: ArchiveStats) -> None:
    """The archive at a glance."""
    rows = [[name.replace("_", " "), value] for name, value in stats.model_dump(mode="json").items()]
    print_table(["", ""], rows)


def _head(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _line(text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
