"""A team's own files for workers that do not have them: functions, rubrics, and whatever else lies beside an agent's file.

The folder of each agent file travels as a version by itself. A worker lays it down below the job, once, and the team
it works with then says that its files are there.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.errors import OrchestrationError
from agentflows.orchestrating.own_code import own_folder
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.staging import Staging
from agentflows.pursuing.versions import Snapshot, Versions
from agentflows.sandbox.beneath import opened
from agentflows.sandbox.walk import walk

MOST_FILES = 2_000
MOST_BYTES = 64 << 20
"""Of a team's folder: it is laid down once on every machine."""


def pack(staging: Staging, request: JobRequest) -> None:
    """Put the team's files where workers get them.

    Raises:
        OrchestrationError: a folder holds much more than a team.
        OutcomeError, StagingError: it cannot be read, or they cannot be put there.
    """
    folders: list[str] = []
    places: dict[str, str] = {}
    for source in _sources(request):
        path = Path(source).resolve()
        folder = path if path.is_dir() else path.parent
        if not folder.is_dir():
            continue
        if str(folder) not in folders:
            _check_size(folder)
            own = own_folder(staging, folder)
            snapshot = Snapshot(files=Versions(staging.folder, own, contents=staging.contents).take().work)
            staging.keep(_name(staging, len(folders)), snapshot)
            folders.append(str(folder))
        place = str(folders.index(str(folder)))
        places[source] = place if path == folder else f"{place}/{path.name}"
    packed = {"folders": folders, "places": places}
    staging.home.state.keep_runner_state(_name(staging, "list"), json.dumps(packed))


def unpack(staging: Staging, request: JobRequest) -> JobRequest:
    """The request with the team's files on this machine.

    Raises:
        OutcomeError, StagingError: one of them is missing or damaged.
    """
    packed: dict[str, Any] = json.loads(staging.home.state.runner_state(_name(staging, "list")) or "{}")
    laid = [_laid_down(staging, number) for number in range(len(packed.get("folders", ())))]
    known = {source: _under(laid, place) for source, place in packed.get("places", {}).items()}
    moved = {old: str(new) for old, new in zip(packed.get("folders", ()), laid, strict=True)}
    team, plan = request.team, request.plan
    update: dict[str, object] = {
        "specialists": tuple(_moved(agent, known, moved) for agent in team.specialists),
        "source": known.get(team.source, ""),
    }
    return request.model_copy(
        update={
            "team": team.model_copy(update=update),
            "plan": plan.model_copy(update={"source": ""}) if plan else None,
        }
    )


def _sources(request: JobRequest) -> list[str]:
    team = request.team
    found = [team.source, *(agent.source for agent in team.specialists)]
    return [source for source in dict.fromkeys(found) if source]


def _under(laid: list[Path], place: str) -> str:
    number, _, name = place.partition("/")
    return str(laid[int(number)] / name if name else laid[int(number)])


def _moved(agent: AgentDefinition, known: Mapping[str, str], moved: Mapping[str, str]) -> AgentDefinition:
    def word(text: str) -> str:
        for old, new in moved.items():
            if text == old or text.startswith(f"{old}{os.sep}"):
                return new + text.removeprefix(old)
        return text

    servers = tuple(
        server.model_copy(update={"command": _words(word, server.command)}) for server in agent.mcp_servers
    )
    update: dict[str, object] = {
        "source": known.get(agent.source, ""),
        "command": _words(word, agent.command),
        "mcp_servers": servers,
    }
    return agent.model_copy(update=update)


def _words(change: Callable[[str], str], words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(change, words))


def _laid_down(staging: Staging, number: int) -> Path:
    snapshot = staging.version(staging.kept(_name(staging, number)))
    target = staging.folder / "kit" / f"{number}-{snapshot.sha256[:16]}"
    if target.exists():
        return target
    draft = target.with_name(f"draft-{secrets.token_hex(8)}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        Versions(staging.folder, draft, contents=staging.contents).lay_down(snapshot)
        draft.rename(target)
    except OSError:
        if not target.is_dir():  # another process of this machine was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _check_size(folder: Path) -> None:
    files, left = 0, MOST_BYTES
    with opened(folder, ".", os.O_RDONLY | os.O_DIRECTORY) as top:
        for found in walk(top):
            files += found.kind == "file"
            left -= found.size if found.kind == "file" else 0
            if files > MOST_FILES or left < 0:
                msg = (
                    f"The folder {folder} of the team's files holds more than {MOST_FILES:,} files or {MOST_BYTES >> 20} "
                    "MiB, and every worker gets a copy of it. Keep the agent files, and the functions and rubrics they "
                    "use, in a folder of their own."
                )
                raise OrchestrationError(msg)


def _name(staging: Staging, part: object) -> str:
    return f"{staging.folder.name}/kit/{part}"
