"""View: templates, and what all of them know.

Every value that a template prints is revealed and escaped, whether or not the template asks for it.
"""

import hashlib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from agentflows.dream.risks import EVERYTHING_WAITS
from agentflows.marks import reveal
from agentflows.web import links
from agentflows.web.markdown import rendered, rendered_entry
from agentflows.web.text import hides, short, shown

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
TRUST = {1: "tool, file or page", 2: "the agent", 3: "typed by the user"}
"""Where a text came from, by tier."""
ROLES = {
    "user": "user",
    "agent": "agent",
    "thinking": "agent, thinking",
    "tool_call": "agent calls",
    "tool_result": "tool answers",
    "system": "harness",
    "summary": "summary of earlier turns",
}
SPANS = {
    "recalled": "recalled from a memory: no evidence",
    "pasted": "pasted: counts as tier 1",
    "injected": "put in by the harness: counts as tier 1",
}
_ID_CHARS = 10
NAV = (
    ("/", "Review"),
    ("/stores", "Stores"),
    ("/dreams", "Dreams"),
    ("/sessions", "Sessions"),
    ("/patterns", "Patterns"),
    ("/jobs", "Jobs"),
    ("/outcomes", "Outcomes"),
    ("/pictures", "Pictures"),
)


def _revealed(value: Any) -> Any:
    """What an expression gives, before it is escaped: outside text with its hidden characters written out."""
    return reveal(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(value: datetime | None, *, is_long: bool = False) -> Markup:
    if value is None:
        return Markup('<span class="unknown">time unknown</span>')
    text = f"{value:%Y-%m-%d %H:%M} UTC" if is_long else f"{value:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(f"{value:%Y-%m-%dT%H:%M:%SZ}", text)


def _day(value: date | datetime | None) -> str:
    return f"{value:%Y-%m-%d}" if value else "unknown"


def _counted(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _title_of(text: str) -> str:
    """The words of a heading, without its signs."""
    return short(text.strip("#= \n-"))


def _spot(address: str) -> str:
    """An address, short: its link has the whole."""
    session_id, _, seq = address.rpartition("#")
    return f"{session_id if len(session_id) <= _ID_CHARS + 4 else f'{session_id[:_ID_CHARS]}…'}#{seq}"


def _words(name: str) -> str:
    """`low_trust` as people read it."""
    return name.replace("_", " ")


def _verbatim(text: str) -> Markup:
    """Text for a field that is sent back as it is; the first line break of a text area would be lost."""
    return Markup("\n") + escape(text.replace("\r\n", "\n"))


def _as_is(text: str) -> Markup:
    """Text for a field that does not show, hidden characters and all."""
    return escape(text)


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """A style sheet or script, under a name that changes with its content."""
    return links.with_query(f"/static/{name}", v=_version(name))


@cache
def templates() -> Environment:
    """The templates of this package."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_revealed,
    )
    cast("dict[str, Any]", environment.filters).update(_FILTERS)
    cast("dict[str, Any]", environment.globals).update(_GLOBALS)
    return environment


_FILTERS: dict[str, Any] = {
    "shown": shown,
    "short": short,
    "markdown": rendered,
    "entry": rendered_entry,
    "moment": _moment,
    "day": _day,
    "counted": _counted,
    "words": _words,
    "spot": _spot,
    "title_of": _title_of,
    "verbatim": _verbatim,
    "as_is": _as_is,
}
_GLOBALS: dict[str, Any] = {name: getattr(links, name) for name in dir(links) if name.endswith("_url")} | {
    "with_query": links.with_query,
    "same_page": links.same_page,
    "static_url": static_url,
    "hides": hides,
    "EVERYTHING_WAITS": EVERYTHING_WAITS,
    "NAV": NAV,
    "TRUST": TRUST,
    "ROLES": ROLES,
    "SPANS": SPANS,
}
