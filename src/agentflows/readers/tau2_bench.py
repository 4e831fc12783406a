"""tau2-bench results: tasks and simulations, with rewards, checks, and users who have tools of their own."""

from collections.abc import Sequence
from typing import Any

from agentflows.readers.chat import Chat, Place
from agentflows.readers.draft import Draft
from agentflows.readers.fields import items, label, moment, number, table, tables, text, tokens
from agentflows.readers.rewards import Call, call_checks, merged, reward_label, user_checks
from agentflows.readers.typed import typed_spans
from agentflows.session import Check, Session

_USER = "user"
"""The thread of the simulated user's own tools."""


class Tau2Bench:
    """The format. A record is a simulation with its task and the run's facts beside it."""

    name = "tau2_bench"
    version = 1
    example = 'tau2-bench: {"info": {…}, "tasks": […], "simulations": […]}'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By the simulation in it."""
        return "simulation" in record and "task" in record and "messages" in table(record["simulation"])

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """The simulations, each with the run and the task it belongs to."""
        results = table(document)
        simulations = results.get("simulations")
        if not isinstance(simulations, list) or "tasks" not in results:
            return None
        tasks = {label(task.get("id")): task for task in tables(results["tasks"])}
        actions = [action for task in tasks.values() for action in _actions(task)]
        user_tools = sorted({text(action.get("name")) for action in actions if _is_users(action)})
        run = {"info": table(results.get("info")), "user_tools": user_tools}
        return [
            {**run, "task": tasks.get(label(table(one).get("task_id")), {}), "simulation": one}
            for one in items(simulations)
        ]

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record without the model's raw replies: the message beside them says the same."""
        simulation = table(record.get("simulation"))
        messages = [_without_raw(message) for message in items(simulation.get("messages"))]
        return {**record, "simulation": {**simulation, "messages": messages}} if messages else record

    def start(self, stem: str) -> "Tau2BenchFile":
        """Begin a file."""
        return Tau2BenchFile(stem, reader=f"{self.name}/{self.version}")


class Tau2BenchFile:
    """The simulations of one file; each is a session."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._stem = stem
        self._reader = reader
        self._drafts: dict[str, Draft] = {}

    def refusal(self, record: dict[str, Any]) -> str:
        """A simulation without messages, or one that was in the file before."""
        simulation = table(record.get("simulation"))
        if not isinstance(simulation.get("messages"), list):
            return f"no tau2-bench simulation: expected `messages`, found the keys {sorted(simulation)[:12]}"
        session_id = self._session_id(record)
        return f"the simulation {session_id} stands twice in the file" if session_id in self._drafts else ""

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take a simulation."""
        draft = Draft(self._session_id(record), format="tau2_bench", reader=self._reader)
        self._drafts[draft.session_id] = draft
        simulation, info = table(record["simulation"]), table(record.get("info"))
        domain = text(table(info.get("environment_info")).get("domain_name")) or self._stem
        agent = table(info.get("agent_info"))
        draft.agent = text(agent.get("implementation"))
        draft.project = domain
        draft.task = f"{domain}:{label(simulation.get('task_id'))}"
        draft.meta |= {
            "model": text(agent.get("llm")),
            "trial": label(simulation.get("trial")),
            "termination": text(simulation.get("termination_reason")),
        }
        draft.seen_at(moment(simulation.get("start_time")))
        draft.seen_at(moment(simulation.get("end_time")))
        self._turns(draft, record, line, text(agent.get("llm")))
        reward_info = table(simulation.get("reward_info"))
        reward = number(reward_info.get("reward"))
        if reward is not None:
            draft.outcome = reward_label(reward, merged([*_compared(record), *_measured(reward_info)]))

    def sessions(self) -> tuple[Session, ...]:
        """One for each simulation."""
        return tuple(draft.session() for draft in self._drafts.values())

    def _session_id(self, record: dict[str, Any]) -> str:
        simulation = table(record.get("simulation"))
        return (
            label(simulation.get("id"))
            or f"tau2_bench:{self._stem}:{label(simulation.get('task_id'))}:{label(simulation.get('trial'))}"
        )

    def _turns(self, draft: Draft, record: dict[str, Any], line: int, model: str) -> None:
        chat = Chat(draft)
        policy = text(table(table(record.get("info")).get("environment_info")).get("policy"))
        draft.add("system", 1, policy, line=line)
        messages = _flat(table(record["simulation"])["messages"])
        if not any(message.get("role") == "user" for message in messages):
            draft.add("system", 1, text(table(record.get("task")).get("ticket")), line=line)
        for message in messages:
            _take(draft, chat, message, line=line, model=model)


def _take(draft: Draft, chat: Chat, message: dict[str, Any], *, line: int, model: str) -> None:
    """Add a message. What the simulated user's own tools do is a tool's word, in a thread of its own."""
    at = moment(message.get("timestamp"))
    place = Place(line, at=at, model=model)
    aside = Place(line, at=at, thread=_USER)
    calls = tables(message.get("tool_calls"))
    match text(message.get("role")):
        case "user":
            said = text(message.get("content"))
            draft.add("user", 3, said, spans=typed_spans(said), **place.shared)
            for call in calls:
                chat.call(call, aside, trust=1)
        case "assistant":
            draft.spent(f"message at turn {len(draft.turns)}", tokens(message.get("usage")))
            draft.add("thinking", 2, text(message.get("reasoning")), model=model, **place.shared)
            draft.add("agent", 2, text(message.get("content")), model=model, **place.shared)
            for call in calls:
                chat.call(call, place)
        case "tool":
            where = aside if message.get("requestor") == "user" else place
            is_error = message.get("error") is True
            chat.result(text(message.get("id")), message.get("content"), where, is_error=is_error)
        case _:
            draft.add("system", 1, text(message.get("content")), **place.shared)


def _without_raw(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {name: value for name, value in table(message).items() if name != "raw_data"}


def _flat(messages: Any) -> list[dict[str, Any]]:
    """The messages, with the several results that one message may hold each on its own."""
    flat: list[dict[str, Any]] = []
    for message in tables(messages):
        flat += tables(message.get("tool_messages")) or [message]
    return flat


def _compared(record: dict[str, Any]) -> list[Check]:
    """The agent's calls and the user's beside the task's.

    Without a simulated user the agent works the user's tools itself: then they count as the user's actions.
    """
    task = table(record.get("task"))
    if "evaluation_criteria" not in task:
        return []
    actions = _actions(task)
    of_agent = [_expected(action) for action in actions if not _is_users(action)]
    of_user = [_expected(action) for action in actions if _is_users(action)]
    user_tools = {tool for tool in items(record.get("user_tools")) if isinstance(tool, str)}
    made = _made(_flat(table(record.get("simulation")).get("messages")))
    by_agent = [call for who, call in made if who == "assistant" and call.name not in user_tools]
    by_user = [call for who, call in made if who != "assistant" or call.name in user_tools]
    return [*call_checks(of_agent, by_agent), *user_checks(of_user, by_user)]


def _made(messages: Sequence[dict[str, Any]]) -> list[tuple[str, Call]]:
    """Who called what without an error."""
    made: list[tuple[str, Call]] = []
    open_calls: list[tuple[str, dict[str, Any]]] = []
    for message in messages:
        who = text(message.get("role"))
        open_calls += [(who, call) for call in tables(message.get("tool_calls"))]
        if who != "tool":
            continue
        answered = next((one for one in open_calls if one[1].get("id") == message.get("id")), None)
        if answered is not None:
            open_calls.remove(answered)
            if message.get("error") is not True:
                caller, call = answered
                made.append((caller, Call(text(call.get("name")), table(call.get("arguments")))))
    return made


def _measured(reward_info: dict[str, Any]) -> list[Check]:
    """What tau2-bench checked itself."""
    checks: list[Check] = []
    database = table(reward_info.get("db_check"))
    if isinstance(database.get("db_match"), bool):
        checks.append(Check(name="database_as_expected", passed=database["db_match"]))
    for item in tables(reward_info.get("env_assertions")):
        name = text(table(item.get("env_assertion")).get("func_name"))
        checks.append(Check(name=f"environment:{name}", passed=item.get("met") is True))
    for field, name, detail in (
        ("communicate_checks", "told_the_user", "info"),
        ("nl_assertions", "behaved_as_described", "nl_assertion"),
    ):
        checks += (
            Check(name=name, passed=item.get("met") is True, detail=label(item.get(detail)))
            for item in tables(reward_info.get(field))
        )
    return checks


def _actions(task: dict[str, Any]) -> list[dict[str, Any]]:
    return tables(table(task.get("evaluation_criteria")).get("actions"))


def _is_users(action: dict[str, Any]) -> bool:
    return action.get("requestor") == "user"


def _expected(action: dict[str, Any]) -> Call:
    compared = action.get("compare_args")
    names = tuple(name for name in items(compared) if isinstance(name, str))
    return Call(
        text(action.get("name")),
        table(action.get("arguments")),
        names if isinstance(compared, list) else None,
    )
