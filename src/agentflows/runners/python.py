"""The `python` runner: an agent that is a function of one's own, in a process of its own.

The function gets `(task, feedback, workspace, memory)` and returns its last words, or None. A hang, a crash, even of
the interpreter, ends the run as failed; it does not end the process that asked for it.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from agentflows.agent import AgentDefinition, Job, Show, Transcript
from agentflows.errors import UsageError
from agentflows.evaluation import RunEnd
from agentflows.runners.journal import Journal
from agentflows.runners.process import Ended, Order, environment, supervise
from agentflows.sandbox.ability import check_linux

_MOST_ANSWER = 4 << 20
"""Bytes of an answer."""
_SHOWN = 2_000
"""Characters of a printed line that are kept."""
_LINES = 2_000
"""Printed lines that are kept."""


class PythonRunner:
    """Runs `module:function`. Its folder of modules is that of the agent's file, then this process's own path.

    Args:
        show: told several times a second how to get the lines so far; None shows nothing before the end.
    """

    def __init__(self, *, show: Show | None = None) -> None:
        self._show = show

    def run(
        self,
        agent: AgentDefinition,
        job: Job,
        *,
        keep: Callable[[str], None] | None = None,  # noqa: ARG002 - a function cannot go on mid-way
        stop: Callable[[], str] | None = None,
    ) -> Transcript:
        """Call the function on the job.

        Raises:
            UsageError: the agent names no function.
            SandboxError: this is not Linux.
        """
        check_linux()
        if ":" not in agent.function:
            msg = (
                f"The agent {agent.name} runs with `python` and needs `function: module:function`, found "
                f"{agent.function!r}. Name the function in {agent.source or 'its definition'}."
            )
            raise UsageError(msg)
        journal = Journal(agent, job, sandbox="off")
        journal.brief(job)
        ended, answer = self._call(agent, job, journal, stop)
        end, detail = _judged(ended, answer, agent)
        text = answer.get("text", "")
        if text:
            journal.note("output", stream="answer", text=text)
        return journal.transcript(end, detail=detail, text=text)

    def _call(
        self, agent: AgentDefinition, job: Job, journal: Journal, stop: Callable[[], str] | None
    ) -> tuple[Ended, dict[str, Any]]:
        given = {
            "function": agent.function,
            "task": job.task,
            "feedback": job.feedback,
            "workspace": str(job.workspace.resolve()),
            "memory": dict(job.memory),
            "path": _path(agent),
        }
        printed: list[str] = []

        def note(line: bytes) -> None:
            if len(printed) < _LINES:
                printed.append(line.decode(errors="replace")[:_SHOWN])

        told: dict[int, str] = {}

        def so_far() -> list[str]:
            if (number := len(printed)) not in told:
                told.clear()
                told[number] = journal.record("output", stream="stdout", text="\n".join(printed))
            return [*journal.lines, *told.values()]

        def looks() -> str:
            if self._show is not None:
                self._show(so_far)
            return stop() if stop else ""

        with _Answer() as answer:
            order = Order(
                argv=[sys.executable, "-P", "-m", "agentflows.runners.child", str(answer.inlet)],
                cwd=job.workspace,
                env=environment(agent.env),
                seconds=agent.limits.max_seconds,
                stdin=json.dumps(given).encode(),
                stop=looks,
                pass_fds=(answer.inlet,),
            )
            ended = supervise(order, note)
            found = answer.read()
        journal.note("output", stream="stdout", text="\n".join(printed))
        if ended.errors:
            journal.note("output", stream="stderr", text=ended.errors)
        return ended, found


class _Answer:
    """A place for the answer apart from what the function prints: a file without a name, which nothing waits for."""

    def __enter__(self) -> Self:
        self.inlet = os.memfd_create("answer", 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.inlet)

    def read(self) -> dict[str, Any]:
        """What the child wrote; {} when it did not come to it."""
        size = os.fstat(self.inlet).st_size
        if size > _MOST_ANSWER:
            return {"error": f"its answer has {size:,} bytes; at most {_MOST_ANSWER:,} are read"}
        os.lseek(self.inlet, 0, os.SEEK_SET)
        data = os.read(self.inlet, _MOST_ANSWER)
        try:
            return json.loads(data)
        except ValueError:
            return {}


def _path(agent: AgentDefinition) -> list[str]:
    own = [str(Path(agent.source).resolve().parent)] if agent.source else []
    return [*own, *(folder for folder in sys.path if folder)]


def _judged(ended: Ended, answer: dict[str, Any], agent: AgentDefinition) -> tuple[RunEnd, str]:
    if ended.lost:
        return "failed", ended.lost
    if ended.end == "timeout":
        return "cap_reached", f"it ran longer than max_seconds, {agent.limits.max_seconds:g} s"
    if ended.end == "stopped":
        return "interrupted", ended.reason
    if ended.end == "output_limit":
        return "failed", "it printed more than a run may print"
    if "error" in answer:
        return "failed", str(answer["error"])
    if "text" in answer:
        return "finished", ""
    last = ended.errors.splitlines()[-1:] or ["it printed no reason"]
    return "failed", f"the process ended with exit code {ended.exit_code} and no answer: {last[0]}"
