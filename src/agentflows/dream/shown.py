"""One change as a reader sees it, with its diff, its reasons and its quotes: in full, or small enough for a form.

Everything that stood in a transcript or came from a model is escaped: it can show anything and forge nothing.
"""

import textwrap
from collections.abc import Sequence
from typing import Literal

from agentflows.change import Change, Quote
from agentflows.escape import block, code, inline

Sign = Literal[" ", "-", "+"]
MAX_QUOTE_SHOWN = 500
MAX_LINE_SHOWN = 96
_QUOTES_IN_FORM = 2
_QUOTE_IN_FORM = 200
_TELLING = {"user": 0, "tool_result": 1, "agent": 2}
_SPEAKERS = {1: "a tool, file or page", 2: "the agent", 3: "the user"}
_NO_BREAK = "\u00a0"
_BREAK = "  \n"
"""A line break within a paragraph, in Markdown."""


def place(change: Change) -> str:
    """The memory a change edits, with the heading a new entry goes under."""
    return f"{change.path} › {change.heading}" if change.heading else change.path


def diff(change: Change) -> list[tuple[Sign, str]]:
    """Line by line, as they stand: what goes with `-`, what comes with `+`, what stays of an entry with a blank."""
    before = (change.before or "").splitlines()
    if change.op in {"reinforce", "flag"}:
        return [(" ", line) for line in before]
    after = (change.after or "").splitlines()
    kept = 0
    while kept < min(len(before), len(after)) and before[kept] == after[kept]:
        kept += 1
    return [
        *((" ", line) for line in before[:kept]),
        *(("-", line) for line in before[kept:]),
        *(("+", line) for line in after[kept:]),
    ]


def sides_of(flag: Change) -> dict[str, str]:
    """The entries a flag is about, under the names by which it is answered; {} where it is about one alone."""
    entries = (flag.before or "").split("\n\n")
    if len(entries) != len(flag.entry_ids) or len(entries) < 2:
        return {}
    names = ("first", "second", *map(str, range(3, len(entries) + 1)))
    return dict(zip(names, entries, strict=True))


def telling(quotes: Sequence[Quote]) -> list[Quote]:
    """The quotes in the order they convince: what a user said, what a tool answered, what was called; then repeats.

    The same words from another session prove that it happened again, but tell a reader nothing new.
    """
    seen: set[str] = set()
    ranked: list[tuple[bool, int, int]] = []
    for place, quote in sorted(enumerate(quotes), key=lambda item: (_TELLING.get(item[1].kind, 3), item[0])):
        words = " ".join(quote.text.casefold().split())
        ranked.append((words in seen, _TELLING.get(quote.kind, 3), place))
        seen.add(words)
    return [quotes[place] for _, _, place in sorted(ranked)]


def in_full(number: int, change: Change) -> list[str]:
    """Everything there is to say about a change, as parts of a Markdown page."""
    against = f", {change.support_against} against" if change.support_against else ""
    facts = [
        f"**Why:** {inline(change.reason)}",
        f"**Support:** {count(change.support, 'session')}{_over_all(change.support, change.counted)}{against}, {count(change.origins, 'source')}"
        + (f"; rests on words of {_SPEAKERS[change.trust]}" if change.quotes else ""),
    ]
    if change.stats:
        facts.append(f"**Counted:** {_stats(change)}")
    if change.risks:
        facts.append(f"**Risks:** {_risks(change)}")
    if change.status_reason:
        facts.append(f"**{change.status.capitalize()}:** {inline(change.status_reason)}")
    parts = [f"### {number}. {change.op} · {inline(place(change))} · {change.status}"]
    shown = "\n".join(_folded(change))
    parts.extend([block(shown, "diff")] if shown else [])
    parts.append("\n".join(f"- {fact}" for fact in facts))
    parts.extend(_quote(quote) for quote in telling(change.quotes))
    return parts


def in_brief(number: int, change: Change) -> str:
    """A change for a narrow form: its whole text, why, the quotes that tell most, and its risks.

    No code block: a form does not fold its lines, and what hangs over its edge would be approved unread.
    """
    support = f" · {count(change.support, 'session')}" if change.support else ""
    lines = [f"**{number} · {change.op} · {inline(place(change))}**{support}"]
    lines.extend(_asked(change) if change.op == "flag" else _signed(change))
    lines.append(f"**Why:** {inline(change.reason)}")
    quotes = telling(change.quotes)
    lines.extend(
        f"“{inline(quote.text, _QUOTE_IN_FORM)}” — {_SPEAKERS[quote.trust]}{_day(quote)}"
        for quote in quotes[:_QUOTES_IN_FORM]
    )
    more = len(quotes) - _QUOTES_IN_FORM
    lines.extend([f"… {count(more, 'more quote')}"] if more > 0 else [])
    lines.append(f"**Risks:** {_risks(change) or 'none seen'}")
    return _BREAK.join(lines)


def count(number: int, noun: str) -> str:
    """`1 session`, `2,000 sessions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _over_all(read: int, counted: int) -> str:
    """How many sessions show the same, read or not, where more do than were read."""
    return f" read, {counted:,} counted over all selected" if counted > read else ""


def _stats(change: Change) -> str:
    return ", ".join(f"{inline(name)} {value:g}" for name, value in sorted(change.stats.items()))


def _risks(change: Change) -> str:
    return ", ".join(risk.replace("_", " ") for risk in change.risks)


def _folded(change: Change) -> list[str]:
    """The lines behind their sign, folded: Prefect's page cuts off what is wider than itself."""
    return [
        f"{sign} {part}"
        for sign, line in diff(change)
        for part in textwrap.wrap(line, MAX_LINE_SHOWN, drop_whitespace=False, break_long_words=False) or [""]
    ]


def _signed(change: Change) -> list[str]:
    return [f"{_sign(sign)} {_indented(line)}" for sign, line in diff(change) if line.strip()]


def _asked(change: Change) -> list[str]:
    sides = sides_of(change)
    return [f"**{name}** {inline(text)}" for name, text in sides.items()] or _signed(change)


def _sign(sign: Sign) -> str:
    return {" ": _NO_BREAK, "-": "**−**", "+": "**+**"}[sign]


def _indented(line: str) -> str:
    """The line with its indentation, which Markdown would drop."""
    return _NO_BREAK * (len(line) - len(line.lstrip())) + inline(line)


def _day(quote: Quote) -> str:
    return f", {quote.at:%Y-%m-%d}" if quote.at else ""


def _quote(quote: Quote) -> str:
    source = f"{_SPEAKERS[quote.trust]} (tier {quote.trust}, {quote.kind.replace('_', ' ')}{_day(quote)})"
    return f"> “{inline(quote.text, MAX_QUOTE_SHOWN)}”\n> — {source} at {code(quote.address)}"
