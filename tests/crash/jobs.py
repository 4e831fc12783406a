"""Two jobs of a team: what their processes do, and what the endpoint answers. One follows a plan, one is led live."""

import time
from pathlib import Path
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.home import open_home
from agentflows.orchestrating import orchestrate
from agentflows.team import Orchestration, Plan, SubTask, Team, TeamLimits, make_team
from agentflows.testing import FakeRequest, Reply

LEAD = "You are the lead of this play."
FUNCTION = '''
"""A specialist that writes a part, appends to what all share, and notes outside that it ran."""
import os
import time
from pathlib import Path

def part(task, feedback, workspace, memory):
    name, seconds, log = task.split()
    folder = Path(workspace)
    with (folder / f"{name}.md").open("a") as file:
        file.write(f"begun {name}\\n")
    time.sleep(float(seconds))
    with (folder / f"{name}.md").open("a") as file:
        file.write(f"ended {name}\\n")
    (folder / "old" / name).unlink(missing_ok=True)
    with open(log, "a") as file:
        file.write(f"{name} {time.time()}\\n")
    return f"wrote {name}"
'''
PARTS = ("one", "two", "three", "four")
EXPECTED = {f"{name}.md": f"begun {name}\nended {name}\n" for name in PARTS}
REPORTS = ("wrote sun.md", "wrote rain.md", "wrote sun.md again")
LIVE_CALLS = 5 + 3 * 2
"""Undisturbed: the lead's five replies, and two of a specialist for each of its three turns."""


def plan_job(folder: Path, seconds: str = "0", at_once: int = 3) -> None:
    """Carry out the plan."""
    _made(folder)
    orchestrate(
        team=_players(folder, at_once),
        plan=plan(folder, seconds),
        workspace=folder / "workspace",
        home=folder / "home",
    )


def plan(folder: Path, seconds: str) -> Plan:
    """Three at once, and one that needs two of them and goes on in the thread of the third."""
    log = folder / "log.txt"

    def task(name: str, *needs: str, follows: str = "") -> SubTask:
        told = f"{name} {seconds} {log}"
        return SubTask(
            subtask_id=name, agent="player", task=told, needs=needs, follows=follows, outputs=(f"{name}.md",)
        )

    return Plan(
        subtasks=(task("one"), task("two"), task("three"), task("four", "one", "two", follows="three"))
    )


def live_job(folder: Path) -> None:
    """Have the lead do it."""
    _made(folder)
    members = [
        AgentDefinition(name=name, prompt=f"You write {name}.", tools=("write",)) for name in ("sun", "rain")
    ]
    boss = AgentDefinition(name="boss", prompt=LEAD, tools=())
    team = make_team("play", boss, members, TeamLimits(at_once=2))
    orchestrate("Write about the weather", team=team, workspace=folder / "workspace", home=folder / "home")


def _made(folder: Path) -> None:
    old = folder / "workspace" / "old"
    if not (folder / "made").exists():
        old.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            (old / name).write_text(name)
        (folder / "players.py").write_text(FUNCTION)
        (folder / "made").touch()


def _players(folder: Path, at_once: int) -> Team:
    player = AgentDefinition(
        name="player", prompt="…", runner="python", function="players:part", source=str(folder / "player.md")
    )
    return make_team("players", None, [player], TeamLimits(at_once=at_once))


def answer(request: FakeRequest) -> Any:
    """What the endpoint says depends on the question alone, so that it may be asked in any order."""
    number = sum(message["role"] == "assistant" for message in request.body["messages"])
    if LEAD in request.text:
        return _lead(request, number)
    name = "sun" if "You write sun." in request.text else "rain"
    word = "again" if "again" in request.text else "first"
    if number % 2 == 0:
        return Reply.tool_use("write", {"path": f"{name}-{word}.md", "content": f"{name} {word}"})
    return f"wrote {name}.md{' again' if word == 'again' else ''}"


def _lead(request: FakeRequest, number: int) -> Any:
    if number == 0:
        first, second = _send("sun", "Write it"), _send("rain", "Write it")
        return Reply(content=first.content + second.content, stop_reason="tool_use")
    wait = Reply.tool_use("wait", {})
    heard = sum(request.text.count(f"[report from {name}-1, turn 0") for name in ("sun", "rain"))
    if number == 1:
        return Reply(content=wait.content + wait.content, stop_reason="tool_use")
    if number == 2:
        assert heard == 2, f"{heard} of two reports came"
        return _send("sun-1", "Write it again")
    return wait if number == 3 else "All is written."


def _send(to: str, task: str) -> Reply:
    return Reply.tool_use("send_to_agent", {"to": to, "task": task})


def found(folder: Path) -> tuple[Orchestration, dict[str, str], list[str], int]:
    """The job, the files of its workspace, the sessions of the archive, and the tokens it spent."""
    with open_home(folder / "home") as home:
        (listed,) = home.state.jobs()
        job = home.state.job(listed.job_id)
        sessions = [one.session_id for one in home.archive.info()]
        spent = home.state.balance(f"job:{job.job_id}").tokens
    top = folder / "workspace"
    files = {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}
    return job, files, sessions, spent


def left_running(folder: Path) -> list[int]:
    """Processes of agents that still work below the folder."""
    pids: list[int] = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
                where = str((place / "cwd").readlink())
            except OSError:
                continue
            if "agentflows.runners.child" in words and where.startswith(str(folder)):
                pids.append(int(place.name))
    return pids


def wait_for(condition: Any, seconds: float = 60) -> Any:
    """What the condition gives as soon as it gives something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := condition():
            return result
        time.sleep(0.02)
    message = "what was waited for did not come"
    raise AssertionError(message)
