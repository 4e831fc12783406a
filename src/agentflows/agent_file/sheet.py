"""The keys of one agent file, read one by one: each value is what it must be, or a fault that names line and fix."""

import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal, cast

from pydantic import ValidationError

from agentflows.agent import AgentLimits, RunnerName, SandboxChoice
from agentflows.agent_file.front import Front
from agentflows.agent_file.known import KEYS, MEMORY_SCOPES, MODELS, NO_EFFECT, NOT_OFFERED, OURS

_TOOLS = ("read", "write", "edit", "glob", "grep", "bash")
_MCP = "mcp__"


class Sheet:
    """Reads values, and collects what is wrong (`faults`) and what is odd (`warnings`)."""

    def __init__(self, front: Front, file: str) -> None:
        self.front = front
        self.file = file
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def fault(self, key: str, problem: str) -> None:
        """Note that the value of `key` cannot be used; `problem` says what was expected and what to write."""
        self.faults.append(f"{self.file}:{self.front.line(key)}: {key}: {problem}")

    def warn(self, key: str, text: str) -> None:
        """Note what is taken, but perhaps not as it was meant."""
        self.warnings.append(f"{self.file}:{self.front.line(key)}: {key}: {text}")

    def unknown_keys(self) -> None:
        """Warn of keys that are not read."""
        for key in self.front.values:
            if key in NO_EFFECT:
                self.warn(key, "has no effect here.")
            elif key not in KEYS:
                near = get_close_matches(key, KEYS, 1, 0.7)
                hint = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(KEYS)}."
                self.warn(key, f"is not known and has no effect. {hint}")

    def text(self, key: str) -> str:
        """A text, "" where there is none."""
        value = self.front.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fault(key, f"expected a text, found {_shown(value)}. Put it in quotes.")
            return ""
        return value.strip()

    def words(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, or one text with commas; None where there is none."""
        if key not in self.front.values:
            return None
        value = self.front.values[key]
        if value is None:
            return ()
        if isinstance(value, str):
            return tuple(word for part in value.split(",") if (word := part.strip()))
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
            return tuple(cast("list[str]", value))
        self.fault(key, f"expected names, found {_shown(value)}. Write `{key}: a, b` or a list.")
        return ()

    def command(self) -> tuple[str, ...]:
        """The words of a command: a list, or a line as a shell would part it."""
        value = self.front.values.get("command")
        if value is None:
            return ()
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError as error:
                self.fault("command", f"cannot be parted into words: {error}. Write it as a list.")
                return ()
        items = cast("list[Any]", value) if isinstance(value, list) else []
        if not items or not all(isinstance(item, (str, int, float)) for item in items):
            self.fault("command", f"expected words, found {_shown(value)}. Write `command: [claude, -p]`.")
            return ()
        return tuple(str(item) for item in items)

    def choice(self, key: str, options: Sequence[str], default: str) -> str:
        """One of some words."""
        value = self.text(key) or default
        if value not in options:
            self.fault(key, f"expected one of {', '.join(options)}, found {value!r}.")
            return default
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.front.values.get(key, False)
        if not isinstance(value, bool):
            self.fault(key, f"expected true or false, found {_shown(value)}.")
            return False
        return value

    # -- keys with meanings of their own -----------------------------------------------------------

    def runner(self, command: Sequence[str], function: str) -> RunnerName:
        """What runs the agent: as told, else by what it has."""
        default: RunnerName = "command" if command else "python" if function else "messages"
        return cast("RunnerName", self.choice("runner", ("messages", "command", "python"), default))

    def sandbox(self) -> SandboxChoice:
        """Walls or none; YAML reads `off` as false."""
        value = self.front.values.get("sandbox")
        if isinstance(value, bool):
            return "required" if value else "off"
        return cast("SandboxChoice", self.choice("sandbox", ("required", "off", "default"), "default"))

    def model(self, runner: RunnerName) -> str:
        """A model's id; an alias of Claude Code stays one where Claude Code itself may read it."""
        value = self.text("model")
        if runner == "command" and value != "inherit":
            return value
        if any(sign.isspace() for sign in value):
            self.fault("model", f"expected a model's id or {', '.join(MODELS)}, found {value!r}.")
        return MODELS.get(value.lower(), value)

    def memory(self) -> str:
        """The name of a memory store."""
        value = self.text("memory")
        if value in MEMORY_SCOPES:
            self.warn(
                "memory", f"{value!r} is a scope of Claude Code; here a memory is a store. Write its name."
            )
            return ""
        return value

    def tools(self) -> tuple[str, ...]:
        """The tools in our names, without the disallowed ones."""
        given = self.words("tools")
        chosen = _TOOLS if given is None or given == ("*",) else self._ours("tools", given)
        without = self._ours("disallowedTools", self.words("disallowedTools") or ())
        return tuple(dict.fromkeys(tool for tool in chosen if tool not in without))

    def _ours(self, key: Literal["tools", "disallowedTools"], names: Sequence[str]) -> tuple[str, ...]:
        return tuple(tool for name in names if (tool := self._own_name(key, name)))

    def _own_name(self, key: str, name: str) -> str:
        plain = name.partition("(")[0].strip()
        if plain != name.strip() and plain in OURS:
            self.fault(
                key,
                f"{name!r}: a tool cannot be narrowed by a pattern here. Write {plain!r}, or leave it out.",
            )
            return ""
        if plain in _TOOLS or plain.startswith(_MCP):
            return plain
        if plain in OURS:
            return OURS[plain]
        if plain in NOT_OFFERED:
            if key == "tools":
                self.warn(key, f"{plain} is not offered here; the agent runs without it.")
            return ""
        known = [*_TOOLS, *OURS]
        near = get_close_matches(plain, known, 1, 0.6)
        hint = (
            f"Did you mean {near[0]}?"
            if near
            else f"The tools are {', '.join(_TOOLS)}, and mcp__<server>__<tool>."
        )
        self.fault(key, f"there is no tool {plain!r}. {hint}")
        return ""

    def limits(self) -> AgentLimits:
        """What a run may take: `limits`, and `maxTurns` of Claude Code."""
        value = self.front.values.get("limits")
        if value is not None and not isinstance(value, dict):
            self.fault("limits", f"expected lines of `max_…: number` below it, found {_shown(value)}.")
            value = None
        given = {str(key): item for key, item in cast("dict[Any, Any]", value or {}).items()}
        if "maxTurns" in self.front.values:
            given.setdefault("max_turns", self.front.values["maxTurns"])
        try:
            return AgentLimits.model_validate(given, strict=True)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self._limit_fault(str(item["loc"][0]), item["type"], item["msg"], item.get("input"))
            return AgentLimits()

    def _limit_fault(self, name: str, kind: str, message: str, found: Any) -> None:
        key = (
            "maxTurns"
            if name == "max_turns" and "limits.max_turns" not in self.front.lines
            else f"limits.{name}"
        )
        if kind == "extra_forbidden":
            self.fault(key, f"there is no such limit. The limits are {', '.join(AgentLimits.model_fields)}.")
        else:
            self.fault(key, f"{message[0].lower()}{message[1:]}, found {_shown(found)}. Write a number.")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)[:60]
