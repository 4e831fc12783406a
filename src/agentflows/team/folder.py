# pyright: reportUnknownMemberType=false
# ruamel.yaml ships no types.
"""Team folders: one agent file per specialist, `lead.md` for the lead, and `team.yaml` for limits.

teams/review/
  lead.md            optional: without it the team carries out plans
  security.md        any other agent file is a specialist
  docs.md
  team.yaml          optional: name and limits
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agentflows.agent import AgentDefinition
from agentflows.agent_file import read_agent_file
from agentflows.errors import NotFoundError, PlanError
from agentflows.team.words import LEAD, Team, TeamLimits

_LEAD_FILE = "lead.md"
_SETTINGS_FILE = "team.yaml"
_NO_AGENTS = ("readme.md",)


def read_team(folder: Path | str) -> tuple[Team, tuple[str, ...]]:
    """The team in a folder, and what its agent files say that has no effect here.

    Raises:
        NotFoundError: there is no such folder.
        AgentFileError: an agent file cannot be used.
        PlanError: there are no specialists, two of one name, more than may be, or `team.yaml` cannot be.
    """
    folder = Path(folder)
    if not folder.is_dir():
        msg = (
            f"There is no team folder {folder}. Name one that holds an agent file (Markdown) per specialist."
        )
        raise NotFoundError(msg)
    name, limits = _settings(folder)
    warnings: list[str] = []
    lead: AgentDefinition | None = None
    specialists: list[AgentDefinition] = []
    for path in sorted(folder.glob("*.md")):
        if path.name.lower() in _NO_AGENTS:
            continue
        found = read_agent_file(path)
        warnings += found.warnings
        if path.name == _LEAD_FILE:
            lead = found.agent
        else:
            specialists.append(found.agent)
    return make_team(name, lead, specialists, limits, source=str(folder)), tuple(warnings)


def make_team(
    name: str,
    lead: AgentDefinition | None,
    specialists: Sequence[AgentDefinition],
    limits: TeamLimits | None = None,
    *,
    source: str = "",
) -> Team:
    """A team of these agents, checked.

    Raises:
        PlanError: there are no specialists, two of one name, or more than `limits.max_specialists`.
    """
    limits = limits or TeamLimits()
    where = source or f"the team {name}"
    if not specialists:
        msg = f"{where}: a team has at least one specialist, found none. Add an agent file besides {_LEAD_FILE}."
        raise PlanError(msg)
    if len(specialists) > limits.max_specialists:
        msg = (
            f"{where}: {len(specialists)} specialists, and max_specialists is {limits.max_specialists}. "
            f"Take some out, or raise the limit in {_SETTINGS_FILE}."
        )
        raise PlanError(msg)
    sources: dict[str, str] = {}
    for agent in specialists:
        if agent.name in sources or agent.name == LEAD:
            other = sources.get(agent.name, "the lead")
            msg = f"{where}: {agent.source or agent.name} and {other} have the same name {agent.name!r}. Name each its own."
            raise PlanError(msg)
        sources[agent.name] = agent.source or agent.name
    told = [
        lead.model_dump(mode="json", exclude={"source"}) if lead else None,
        [agent.model_dump(mode="json", exclude={"source"}) for agent in specialists],
    ]
    return Team(
        name=name,
        lead=lead,
        specialists=tuple(specialists),
        limits=limits,
        source=source,
        sha256=hashlib.sha256(json.dumps(told, sort_keys=True).encode(errors="replace")).hexdigest(),
    )


def _settings(folder: Path) -> tuple[str, TeamLimits]:
    path = folder / _SETTINGS_FILE
    name = folder.resolve().name
    if not path.is_file():
        return name, TeamLimits()
    try:
        found: Any = YAML(typ="safe").load(path.read_text("utf-8")) or {}
        if not isinstance(found, dict):
            msg = f"{path}: expected `name` and `limits`, found {type(found).__name__}. Write a mapping."
            raise PlanError(msg)
        return _checked(path, {str(key): value for key, value in found.items()}, name)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {' '.join(str(error).split())[:200]}. Write YAML with `name` and `limits`."
        raise PlanError(msg) from error


def _checked(path: Path, found: dict[str, Any], name: str) -> tuple[str, TeamLimits]:
    unknown = sorted(found.keys() - {"name", "limits"})
    if unknown:
        msg = f"{path}: `{unknown[0]}` is not known here. There are: name, limits."
        raise PlanError(msg)
    try:
        return str(found.get("name") or name), TeamLimits.model_validate(found.get("limits") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{path}: limits.{place}: {first['msg']}, found {first.get('input')!r}."
        raise PlanError(msg) from error
