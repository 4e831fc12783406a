"""Cards: how patterns and entries look to the model that judges them. All of it is data, none of it orders."""

from collections.abc import Sequence

from agentflows.change import Pattern, Quote
from agentflows.dream.engine import Nomination
from agentflows.dream.marks import mark, one_line, reveal
from agentflows.dream.replies import MAX_ENTRY_SHOWN
from agentflows.memory import Entry

_QUOTE_SHOWN = 600
_FIELD_SHOWN = 600


def pair_card(number: int, first: Pattern, second: Pattern) -> str:
    """Two lessons that look alike, under the pair's number."""
    sides = [f"{mark(name)}\n{_lesson(side)}" for name, side in (("A", first), ("B", second))]
    return "\n".join([mark(f"pair {number}"), *sides])


def pattern_card(pattern: Pattern) -> str:
    """A pattern with its counts and its quotes."""
    quotes = "\n".join(_quote(quote) for quote in pattern.quotes)
    return f"{mark('pattern')}\n{_lesson(pattern)}\n{mark(_counts(pattern))}\n{quotes}"


def entry_card(entry: Entry) -> str:
    """One entry under its id, with the headings it stands below."""
    under = f" · under {one_line(' > '.join(entry.heading), 200)}" if entry.heading else ""
    text, rest = entry.text[:MAX_ENTRY_SHOWN], len(entry.text) - MAX_ENTRY_SHOWN
    cut = mark(f"{rest:,} chars left out: this entry can only be reinforced, retired or flagged")
    return (
        f"{mark(f'entry {one_line(entry.entry_id, 1_200)}{under}')}\n{reveal(text)}{cut if rest > 0 else ''}"
    )


def entry_cards(entries: Sequence[Entry]) -> str:
    """The entries one below the other, or that there are none."""
    return "\n\n".join(entry_card(entry) for entry in entries) or mark("the memory has no entry near this")


def nomination_card(number: int, nomination: Nomination) -> str:
    """A group of entries under its number, with what brought them together."""
    head = mark(f"nomination {number} · {one_line(nomination.why, 200)}")
    return f"{head}\n{entry_cards(nomination.entries)}"


def _lesson(pattern: Pattern) -> str:
    """What a pattern says, field by field, empty ones left out."""
    fields = {
        "kind": pattern.kind,
        "about": f"{pattern.subject} / {pattern.attribute}",
        "scope": pattern.scope,
        "claim": pattern.claim,
        "when": pattern.when,
        "when not": pattern.when_not,
        "value": pattern.value,
    }
    return "\n".join(f"{name}: {one_line(text, _FIELD_SHOWN)}" for name, text in fields.items() if text)


def _counts(pattern: Pattern) -> str:
    """What code counted for and against the pattern."""
    facts = [
        f"{len(pattern.sessions)} sessions for, {len(pattern.sessions_against)} against",
        f"{pattern.origins} independent origins, {pattern.user_origins} typed by users",
        f"lowest trust t{pattern.trust}",
    ]
    if pattern.said_outright:
        facts.append("asked for outright by a user")
    if pattern.first_at and pattern.last_at:
        facts.append(f"seen {pattern.first_at:%Y-%m-%d} to {pattern.last_at:%Y-%m-%d}")
    facts += [f"{one_line(name, 60)} {value:g}" for name, value in sorted(pattern.stats.items())]
    return " · ".join(facts)


def _quote(quote: Quote) -> str:
    """A quote under where it stands, by whom and when."""
    day = f" {quote.at:%Y-%m-%d}" if quote.at else ""
    cut = mark(f"{len(quote.text) - _QUOTE_SHOWN:,} chars left out") if len(quote.text) > _QUOTE_SHOWN else ""
    label = f"quote {one_line(quote.address, 120)} {quote.kind} t{quote.trust}{day}"
    return f"{mark(label)} {reveal(quote.text[:_QUOTE_SHOWN])}{cut}"
