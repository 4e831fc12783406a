"""InterCode result logs: an agent, a shell or a database, and a reward for every step."""

from collections.abc import Sequence
from typing import Any

from agentflows.readers.draft import Draft
from agentflows.readers.fields import canonical, items, label, number, table, text
from agentflows.readers.rewards import reward_label
from agentflows.session import Session


class InterCode:
    """The format. A record is one task's attempt with its key in the file beside it."""

    name = "intercode"
    version = 1
    example = 'InterCode: {"0": {"environment": …, "query": …, "turn_history": {…}, "summary": {…}}}'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By its turn history."""
        return isinstance(record.get("turn_history"), dict) and "query" in record

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """The attempts under their keys."""
        attempts = table(document)
        if not any(self.recognises(table(attempt)) for attempt in list(attempts.values())[:5]):
            return None
        return [{"key": key, **table(attempt)} for key, attempt in attempts.items()]

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record: all of it is small."""
        return record

    def start(self, stem: str) -> "InterCodeFile":
        """Begin a file."""
        return InterCodeFile(stem, reader=f"{self.name}/{self.version}")


class InterCodeFile:
    """The attempts of one file; each is a session."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._stem = stem
        self._reader = reader
        self._drafts: dict[str, Draft] = {}

    def refusal(self, record: dict[str, Any]) -> str:
        """An attempt without its history, or a key that was in the file before."""
        if not isinstance(record.get("turn_history"), dict):
            return f"no InterCode attempt: expected `turn_history`, found the keys {sorted(record)[:12]}"
        session_id = self._session_id(record)
        return f"the attempt {session_id} stands twice in the file" if session_id in self._drafts else ""

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take an attempt. The score is its best step's reward, as the benchmark counts it."""
        draft = Draft(self._session_id(record), format="intercode", reader=self._reader)
        self._drafts[draft.session_id] = draft
        environment = text(record.get("environment"))
        draft.project = environment
        dataset = text(record.get("dataset")).rsplit("/", 1)[-1].removesuffix(".json")
        draft.task = f"{dataset or environment}:{label(record.get('task_id')) or label(record.get('key'))}"
        draft.add("user", 3, text(record.get("query")), line=line)
        _steps(draft, table(record["turn_history"]), tool=environment or "execute", line=line)
        best = number(table(record.get("summary")).get("max_reward"))
        if best is not None:
            draft.outcome = reward_label(best)

    def sessions(self) -> tuple[Session, ...]:
        """One for each attempt."""
        return tuple(draft.session() for draft in self._drafts.values() if draft.turns)

    def _session_id(self, record: dict[str, Any]) -> str:
        return f"intercode:{self._stem}:{label(record.get('key')) or label(record.get('task_id'))}"


def _steps(draft: Draft, history: dict[str, Any], *, tool: str, line: int) -> None:
    """Each action is a tool call, each observation its result; an action that was not valid is an error."""
    observations, valid = items(history.get("observations")), items(history.get("valid_action"))
    for index, action in enumerate(items(history.get("actions"))):
        call = draft.called(f"step-{index + 1}", tool)
        given = canonical({"action": action})
        draft.add("tool_call", 2, given, tool=tool, tool_use_id=call, line=line)
        if index < len(observations):
            seen = observations[index]
            shown = seen if isinstance(seen, str) else canonical(seen)
            is_error = index < len(valid) and valid[index] is False
            draft.answered(call)
            draft.add("tool_result", 1, shown, tool=tool, tool_use_id=call, is_error=is_error, line=line)
