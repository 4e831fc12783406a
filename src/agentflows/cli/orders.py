"""Standing orders that nobody typed: tool output, pages, pasted text and sub-agents that say "always" or "never".

They are what an attacker, or a careless plan, would write into a memory. Counted over the archive after a dream,
so that what is said of them is what happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from agentflows.change import DreamReport
from agentflows.cli.output import console
from agentflows.marks import reveal

if TYPE_CHECKING:
    from agentflows.archive import Archive

_SHOWN = 6
_CHARS = 160
_WHERE = {"system": "put into the context", "tool_result": "tool result", "agent": "sub-agent"}
_WORDS = r"(?i)[^.\n]*\b(always|never|remember)\b[^.\n]*"
_SQL = f"""
    WITH untrusted AS (
        SELECT session_id, seq, kind, text FROM turns WHERE trust = 1
        UNION ALL
        SELECT session_id, seq, span.kind, substring(text, span.start + 1, span."end" - span.start)
        FROM (SELECT session_id, seq, text, unnest(spans) AS span FROM turns WHERE trust > 1)
    ), said AS (
        SELECT session_id, seq, kind, unnest(regexp_extract_all(text, '{_WORDS}')) AS sentence FROM untrusted
    )
    SELECT DISTINCT kind, trim(sentence, ' -*>') AS sentence, session_id, seq FROM said ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Order:
    """One sentence, where it came from, and what became of it."""

    kind: str
    """The kind of turn or span it stood in, such as `tool_result`."""
    sentence: str
    sessions: int
    is_quoted: bool
    """Whether a change of the dream rests on it."""


def standing_orders(archive: "Archive", report: DreamReport) -> list[Order]:
    """Every sentence with always, never or remember in text of tier 1; those in most sessions first."""
    quoted = [
        (quote.session_id, quote.seq, quote.text) for change in report.changes for quote in change.quotes
    ]
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for kind, sentence, session_id, seq in archive.sql(_SQL, limit=10_000).rows:
        found.setdefault((kind, sentence), []).append((session_id, seq))
    orders = [
        Order(
            kind=kind,
            sentence=sentence,
            sessions=len({session_id for session_id, _ in places}),
            is_quoted=any(
                (session_id, seq) in places and (sentence in text or text in sentence)
                for session_id, seq, text in quoted
            ),
        )
        for (kind, sentence), places in found.items()
    ]
    return sorted(orders, key=lambda order: (-order.sessions, order.kind, order.sentence))


def show_orders(orders: Sequence[Order]) -> None:
    """The standing orders that no change rests on."""
    left = [order for order in orders if not order.is_quoted]
    if not left:
        return
    console.print()
    console.print(
        Text(
            "Standing orders (always, never, remember) that no user typed, and that no change rests on",
            "bold",
        )
    )
    for order in left[:_SHOWN]:
        sentence = " ".join(reveal(order.sentence).split())
        sentence = sentence if len(sentence) <= _CHARS else sentence[: _CHARS - 1] + "…"
        sessions = f"{order.sessions} session{'' if order.sessions == 1 else 's'}"
        console.print(Text(f"  “{sentence}”  ({_WHERE.get(order.kind, order.kind)}, {sessions})"))
    if len(left) > _SHOWN:
        console.print(Text(f"  … {len(left) - _SHOWN} more", "dim"))
