"""Trials: tasks that were tried several times, each with a measured result, in the format of tau-bench results.

Two planted causes make trials fail: a call that is not made, and one with a wrong argument. The hard tasks fail for
no visible reason as well, and call the decoy more often: over all trials it goes with failure, within each task it
does not.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.dreambench.truth import Plant, World

VERBS = {"missing": "file", "wrong": "set", "decoy": "look_up"}
"""How the tools of causes and decoys begin."""
STEM = "desk"
"""The name of the file, which session ids rest on."""
_TIMES = 5
_TASKS = 12
_FAULTY = 0.3
_HARD, _EASY = 0.6, 0.0
"""How often a trial fails for no visible reason."""
_DECOY_HARD, _DECOY_EASY = 0.75, 0.15


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: which planted faults it has, and how it ended."""

    number: int
    task: int
    nth: int
    faults: frozenset[str]
    decoy: bool
    succeeded: bool

    @property
    def session_id(self) -> str:
        """As readers of the format call it."""
        return f"tau_bench:{STEM}:{self.task}:{self.nth}"


class Trials:
    """The trials of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tools: dict[str, str] = {
            plant.detail["style"]: plant.detail["tool"] for plant in world.of("cause", "decoy")
        }
        tasks = _TASKS + round(world.size**0.5 / 2) if self.tools else 0
        self.all = tuple(
            self._trial(task * _TIMES + nth, task, nth) for task in range(tasks) for nth in range(_TIMES)
        )

    def at(self, session: int) -> Iterator[Trial]:
        """The trials that come to the archive with a session: they are spread over all."""
        count = len(self.all)
        return (trial for trial in self.all if trial.number * self.world.size // max(count, 1) == session)

    def failed_by(self, plant: Plant) -> int:
        """How many trials failed with a cause's fault."""
        return sum(plant.detail["style"] in trial.faults for trial in self.all)

    def _trial(self, number: int, task: int, nth: int) -> Trial:
        rng = random.Random(f"dreambench/trial/{self.world.seed}/{self.world.size}/{number}")
        hard = task % 2 == 1
        faults = frozenset(
            style for style in ("missing", "wrong") if style in self.tools and rng.random() < _FAULTY
        )
        decoy = "decoy" in self.tools and rng.random() < (_DECOY_HARD if hard else _DECOY_EASY)
        unlucky = rng.random() < (_HARD if hard else _EASY)
        return Trial(number, task, nth, faults, decoy, succeeded=not faults and not unlucky)

    def record(self, trial: Trial) -> dict[str, Any]:
        """The trial as a record of a results file."""
        ticket = f"T{self.world.seed}{trial.task:03}"
        messages: list[dict[str, Any]] = [
            {
                "role": "system",
                "content": "# Desk agent policy\n\nYou work at the desk. Help with one ticket at a time.",
            },
            {
                "role": "user",
                "content": f"I need help with ticket {ticket}; it should end with state=closed.",
            },
        ]
        for at, (name, arguments) in enumerate(self._calls(trial, ticket)):
            messages += _called(f"call_{trial.number}_{at}", name, arguments)
        messages += [
            {"role": "assistant", "content": f"Ticket {ticket} is settled."},
            {"role": "user", "content": "###STOP###"},
        ]
        expected = [{"name": name, "kwargs": arguments} for name, arguments in self._expected(ticket)]
        return {
            "task_id": trial.task,
            "trial": trial.nth,
            "reward": 1.0 if trial.succeeded else 0.0,
            "info": {
                "task": {
                    "user_id": "desk",
                    "actions": expected,
                    "instruction": f"Settle {ticket}.",
                    "outputs": [],
                }
            },
            "traj": messages,
        }

    def _expected(self, ticket: str) -> list[tuple[str, dict[str, Any]]]:
        arguments: dict[str, dict[str, Any]] = {
            "missing": {"ticket": ticket},
            "wrong": {"ticket": ticket, "state": "closed"},
        }
        return [(self.tools[style], given) for style, given in arguments.items() if style in self.tools]

    def _calls(self, trial: Trial, ticket: str) -> list[tuple[str, dict[str, Any]]]:
        calls: list[tuple[str, dict[str, Any]]] = [("get_ticket", {"ticket": ticket})]
        if trial.decoy:
            calls.append((self.tools["decoy"], {"ticket": ticket}))
        for name, given in self._expected(ticket):
            style = next(style for style, tool in self.tools.items() if tool == name)
            if style == "missing" and style in trial.faults:
                continue
            calls.append(
                (name, {**given, "state": "open"} if style == "wrong" and style in trial.faults else given)
            )
        return calls

    def text(self, trial: Trial) -> str:
        """All that stands in a trial's conversation."""
        return "\n".join(json.dumps(message, ensure_ascii=False) for message in self.record(trial)["traj"])


def _called(call: str, name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    asked = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call, "type": "function", "function": function}],
    }
    return [
        asked,
        {
            "role": "tool",
            "tool_call_id": call,
            "name": name,
            "content": json.dumps({"ok": True, **arguments}),
        },
    ]
