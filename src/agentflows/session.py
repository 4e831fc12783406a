"""Sessions: one finished piece of agent work, turn by turn, with who said what and how far to trust it.

A `Session` is what a reader makes of a native log. Its `Turn`s are one content block each, so that
`session_id#seq` names exactly one text. Trust is set by the reader from the *place* a text stands in
the log, never from what the text says.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Trust = Literal[1, 2, 3]
"""Where a text came from: 3 typed by the user, 2 the agent, 1 a tool, file, web page or sub-agent."""

TurnKind = Literal["user", "agent", "thinking", "tool_call", "tool_result", "system", "summary"]
"""What a turn is.

* `user`: typed by a person (or the lead's task text in a sub-agent thread, then trust 2)
* `agent`: the agent's visible text; `thinking`: its reasoning, never evidence for a memory
* `tool_call`: `text` is the call's input as canonical JSON; `tool_result`: what came back
* `system`: harness text (hooks, reminders, slash-command echoes); `summary`: a compaction summary
"""

SpanKind = Literal["pasted", "recalled", "injected"]
"""Why part of a turn counts for less than the turn itself.

* `pasted`: a long paste, fenced block or quoted file inside a user turn: trust 1
* `recalled`: text that came from a memory: no evidence at all, else a memory would prove itself
* `injected`: text the harness put into the turn (reminders, command wrappers): trust 1
"""

Verdict = Literal["success", "failure", "unknown"]
"""How a session ended, as far as its source says."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a turn's text, `[start, end)` in characters, that is less than the turn around it."""

    start: int
    end: int
    kind: SpanKind


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls. `input_tokens` excludes what the cache read or wrote."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum field by field."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    @property
    def total(self) -> int:
        """All tokens that went in or out."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class Turn:
    """One content block of a session: the unit a quote points at."""

    seq: int
    """Position in the session, from 0, gapless. Appending to a log never renumbers earlier turns."""
    kind: TurnKind
    trust: Trust
    text: str
    """Already redacted. A tool call's input is JSON with sorted keys."""
    at: datetime | None = None
    """UTC, naive. As the log says: it may be missing, wrong or out of order, so order by `seq`."""
    thread: str = ""
    """"" is the main thread; else the sub-agent's id."""
    tool: str = ""
    """The tool's name, on its call and on its result."""
    tool_use_id: str = ""
    is_error: bool = False
    """A tool result that its harness marked as an error. An error is not always a mistake."""
    spans: tuple[Span, ...] = ()
    origin: str = ""
    """The native event id, so that a turn copied into a resumed session counts once."""
    model: str = ""
    usage: Usage | None = None
    """Tokens of the model call that produced this turn; on the first turn of the call only."""
    line: int = 0
    """1-based line (or record) of the source it was read from; 0 when unknown."""


class Check(BaseModel):
    """One thing a session's own source checked about its result."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Stable across sessions, such as `unexpected_write:cancel_reservation`: it is what gets counted."""
    passed: bool
    detail: str = ""


class OutcomeLabel(BaseModel):
    """How the session ended, in its source's own judgement. agentflows invents none."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    score: float | None = None
    source: str
    """Who says so: `reward`, `outcome_evaluation`, `human`."""
    checks: tuple[Check, ...] = ()


class Session(BaseModel):
    """One finished piece of agent work."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    """The native id where the log has one. A sub-agent's own file is `<parent>:<agent id>`."""
    format: str
    """The native format: `claude_code`, `tau_bench`, `messages`, …"""
    reader: str
    """Reader and version that made this, such as `claude_code/1`: a newer one may read more."""
    agent: str = ""
    project: str = ""
    """The folder or product the work was about."""
    task: str = ""
    """What repeated trials share. Rates are stratified by it before a difference is believed."""
    title: str = ""
    parent_id: str = ""
    """The session this one is a sub-agent of. Both count as one session in every support count."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    turns: tuple[Turn, ...] = ()
    outcome: OutcomeLabel | None = None
    meta: dict[str, str] = {}
    """Small facts of the source: version, git branch, permission mode. No contents."""

    @property
    def root_id(self) -> str:
        """The session that support counts: the parent's id for a sub-agent, else its own."""
        return self.parent_id or self.session_id

    @property
    def content_sha256(self) -> str:
        """Identity of what was said and done: changes when any turn or the outcome does."""
        digest = hashlib.sha256(self.session_id.encode())
        for turn in self.turns:
            digest.update(
                f"\x1e{turn.seq}\x1f{turn.kind}\x1f{turn.trust}\x1f{turn.tool}\x1f{turn.is_error:d}\x1f".encode()
            )
            digest.update(turn.text.encode())
        if self.outcome:
            digest.update(b"\x1e" + json.dumps(self.outcome.model_dump(), sort_keys=True).encode())
        return digest.hexdigest()

    @property
    def usage(self) -> Usage:
        """Tokens of all its model calls."""
        total = Usage()
        for turn in self.turns:
            if turn.usage:
                total += turn.usage
        return total


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line (or record) that could not be accepted. It is kept and counted, never dropped."""

    file: str
    line: int
    reason: str
    raw: str
    """The line as far as it decodes, redacted, cut at 10,000 characters."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """An accepted line after redaction: what `archive rebuild` reads again."""

    line: int
    text: str


class SourceRead(BaseModel):
    """All that one source file gave. `accepted + len(quarantined) == lines`, always."""

    model_config = ConfigDict(frozen=True)

    file: str
    """The path or URL as given; `-` for standard input."""
    sha256: str
    """Of the file's bytes: decides whether it was seen before."""
    format: str
    lines: int
    """Non-blank lines of a line format; records of a document format."""
    accepted: int
    sessions: tuple[Session, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    raw: tuple[RawLine, ...] = ()
    redactions: dict[str, int] = {}
    """How many secrets of each kind were replaced."""


class SessionInfo(BaseModel):
    """What the archive knows of a session without reading its turns."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    root_id: str
    format: str
    agent: str
    project: str
    task: str
    title: str
    started_at: datetime | None
    ended_at: datetime | None
    turns: int
    tool_calls: int
    errors: int
    chars: int
    """Characters of all turns: about four to a token."""
    verdict: Verdict
    score: float | None
    usage: Usage
    content_sha256: str
