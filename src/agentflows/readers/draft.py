"""A session while its log is still being read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agentflows.readers.fields import cut
from agentflows.session import OutcomeLabel, Session, Turn, TurnKind, Usage


class Draft:
    """Collects the turns of one session in the order of its file.

    Attributes are the fields of `Session` of the same names; a reader sets what its log tells.
    """

    def __init__(self, session_id: str, *, format: str, reader: str) -> None:  # noqa: A002 - the session's word
        self.session_id = session_id
        self.format = format
        self.reader = reader
        self.agent = ""
        self.project = ""
        self.task = ""
        self.title = ""
        self.parent_id = ""
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.outcome: OutcomeLabel | None = None
        self.meta: dict[str, str] = {}
        self.turns: list[Turn] = []
        self._calls: dict[str, tuple[int, Usage]] = {}
        self._tools: dict[str, str] = {}
        self._ids: dict[str, int] = {}
        self._waiting: dict[str, list[str]] = {}

    def add(self, kind: TurnKind, trust: int, text: str, **fields: Any) -> None:
        """Add a turn. One without text is none, unless it is a tool call or its result: silence answers too."""
        if text or kind in {"tool_call", "tool_result"}:
            self.turns.append(Turn(len(self.turns), kind, trust, text, **fields))  # pyright: ignore[reportArgumentType]

    def seen_at(self, at: datetime | None) -> None:
        """Stretch the session over this moment. Clocks jump back in real logs, so this is no matter of order."""
        if at is None:
            return
        self.started_at = at if self.started_at is None else min(self.started_at, at)
        self.ended_at = at if self.ended_at is None else max(self.ended_at, at)

    def spent(self, call: str, usage: Usage | None) -> None:
        """Note what a model call cost, as the log says so far: streamed messages repeat it while it grows.

        The last figure counts, once, on the first turn of the call. Say this *before* adding that turn.
        """
        if usage is None:
            return
        first = self._calls[call][0] if call in self._calls else len(self.turns)
        self._calls[call] = (first, usage)

    def called(self, tool_use_id: str, tool: str) -> str:
        """Note a tool call; gives the id its turns bear.

        Some logs use an id twice (tau-bench does). The second call and its result then get `id~2`, so that a call and
        its result always find each other.
        """
        uses = self._ids[tool_use_id] = self._ids.get(tool_use_id, 0) + 1
        own = f"{tool_use_id}~{uses}" if uses > 1 else tool_use_id
        self._tools[own] = tool
        self._waiting.setdefault(tool_use_id, []).append(own)
        return own

    def answered(self, tool_use_id: str) -> tuple[str, str]:
        """The call this result belongs to: its id and its tool; the tool is "" when no such call is known."""
        waiting = self._waiting.get(tool_use_id)
        own = waiting.pop(0) if waiting else tool_use_id
        return own, self._tools.get(own, "")

    def oldest_call(self, tool: str = "") -> str:
        """The id of the oldest call without a result, for logs whose results bear no id."""
        return next(
            (given for given, own in self._waiting.items() if own and tool in {"", self._tools[own[0]]}), ""
        )

    def session(self) -> Session:
        """The session as far as it was read."""
        turns = list(self.turns)
        for first, usage in self._calls.values():
            if first < len(turns):
                known = turns[first].usage
                turns[first] = replace(turns[first], usage=known + usage if known else usage)
        return Session(
            session_id=self.session_id,
            format=self.format,
            reader=self.reader,
            agent=self.agent,
            project=self.project,
            task=self.task,
            title=cut(self.title or first_words(turns)),
            parent_id=self.parent_id,
            started_at=self.started_at,
            ended_at=self.ended_at,
            turns=tuple(turns),
            outcome=self.outcome,
            meta={name: value for name, value in self.meta.items() if value},
        )


def first_words(turns: Sequence[Turn]) -> str:
    """What the session's first user turn says, without what the harness put into it."""
    first = next((turn for turn in turns if turn.kind == "user"), None)
    if first is None:
        return ""
    said, position = "", 0
    for span in first.spans:
        if span.kind == "injected":
            said += first.text[position : span.start]
            position = span.end
    return said + first.text[position:]
