"""tau-bench v1 results: a JSON array of trials, each with its conversation, its reward and what its task expected.

The records name neither domain nor model. The domain is read off the policy the agent was given; the session id
rests on the file's name, so that the runs of two models never share one.
"""

import re
from collections.abc import Sequence
from typing import Any

from agentflows.readers.chat import Chat, decoded, is_message
from agentflows.readers.draft import Draft
from agentflows.readers.fields import items, label, number, table, tables, text
from agentflows.readers.rewards import Call, call_checks, merged, reward_label
from agentflows.session import Check, Session

_POLICY = re.compile(r"#\s*(\w+)\s+agent\s+policy", re.IGNORECASE)


class TauBench:
    """The format."""

    name = "tau_bench"
    version = 1
    example = 'tau-bench: [{"task_id": …, "reward": …, "info": {…}, "traj": […], "trial": …}]'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By its trajectory with a reward."""
        return "traj" in record and "reward" in record and "task_id" in record

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """The trials of the array."""
        records = items(document) or [document]
        return records if any(self.recognises(table(record)) for record in records[:50]) else None

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record: all of it is read or small."""
        return record

    def start(self, stem: str) -> "TauBenchFile":
        """Begin a file."""
        return TauBenchFile(stem, reader=f"{self.name}/{self.version}")


class TauBenchFile:
    """The trials of one file; each is a session."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._stem = stem
        self._reader = reader
        self._drafts: dict[str, Draft] = {}

    def refusal(self, record: dict[str, Any]) -> str:
        """A trial without its conversation, or one that was in the file before."""
        if not isinstance(record.get("traj"), list):
            return f"no tau-bench trial: expected a list under `traj`, found the keys {sorted(record)[:12]}"
        if not all(is_message(message) for message in record["traj"]):
            return "no tau-bench trial: something in `traj` is no message"
        session_id = self._session_id(record)
        return f"the trial {session_id} stands twice in the file" if session_id in self._drafts else ""

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take a trial."""
        draft = Draft(self._session_id(record), format="tau_bench", reader=self._reader)
        self._drafts[draft.session_id] = draft
        messages = tables(record["traj"])
        draft.task = f"{_domain(messages) or self._stem}:{label(record.get('task_id'))}"
        draft.project = _domain(messages)
        draft.meta["trial"] = label(record.get("trial"))
        chat = Chat(draft, errors_by_text=True)
        for message in messages:
            chat.take(message, line=line)
        reward = number(record.get("reward"))
        if reward is not None:
            draft.outcome = reward_label(reward, _checks(table(record.get("info")), messages))

    def sessions(self) -> tuple[Session, ...]:
        """One for each trial."""
        return tuple(draft.session() for draft in self._drafts.values())

    def _session_id(self, record: dict[str, Any]) -> str:
        return f"tau_bench:{self._stem}:{label(record.get('task_id'))}:{label(record.get('trial'))}"


def _domain(messages: Sequence[dict[str, Any]]) -> str:
    """The airline of `# Airline Agent Policy`."""
    policy = next(
        (text(message.get("content")) for message in messages if message.get("role") == "system"), ""
    )
    match = _POLICY.search(policy[:1000])
    return match[1].lower() if match else ""


def _checks(info: dict[str, Any], messages: Sequence[dict[str, Any]]) -> tuple[Check, ...]:
    """What the calls show, then whether the agent said what it had to.

    The database comparison (`r_actions`) is left out: it is the reward again, and would look like its best cause.
    """
    reward_info = table(info.get("reward_info"))
    task = table(info.get("task"))
    actions = (task if "actions" in task else reward_info).get("actions")
    expected = [
        Call(text(action.get("name")), table(action.get("kwargs", action.get("arguments"))))
        for action in tables(actions)
    ]
    measured = table(reward_info.get("info"))
    checks = call_checks(expected, _made(messages)) if actions is not None else []
    said = number(measured.get("r_outputs"))
    if said is not None:
        unsaid = [output for output, was_said in table(measured.get("outputs")).items() if not was_said]
        checks.append(Check(name="told_the_user", passed=said >= 1, detail=", ".join(unsaid)))
    return merged(checks)


def _made(messages: Sequence[dict[str, Any]]) -> list[Call]:
    """The calls that were answered without an error.

    A result belongs to the oldest open call of its id: trials use one id several times.
    """
    made: list[Call] = []
    open_calls: list[dict[str, Any]] = []
    for message in messages:
        open_calls += tables(message.get("tool_calls"))
        if message.get("role") != "tool":
            continue
        answered = next((call for call in open_calls if call.get("id") == message.get("tool_call_id")), None)
        if answered is not None:
            open_calls.remove(answered)
            if not text(message.get("content")).startswith("Error"):
                function = table(answered.get("function"))
                made.append(Call(text(function.get("name")), table(decoded(function.get("arguments")))))
    return made
