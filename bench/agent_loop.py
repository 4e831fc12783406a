"""What our tool loop costs beside the SDK's own, over the same endpoint: processor time per reply.

    python bench/agent_loop.py --turns 100

Both make the same conversation: `turns` calls of one tool that does nothing, then an end. Ours also reserves and
settles in SQLite, logs each call, checks limits, writes the journal and hands out its state after every step.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anthropic
from anthropic import beta_tool

from agentflows.agent import AgentDefinition, AgentLimits, Job
from agentflows.change import Budget
from agentflows.claude import Tool
from agentflows.home import open_home
from agentflows.testing import FakeRequest, Reply

TURNS = 100
MODEL = "claude-sonnet-5-5"


def script(request: FakeRequest) -> Reply:
    """Call the tool until the conversation has as many turns as its first message says."""
    said = request.body["messages"][0]["content"]
    turns = int(said if isinstance(said, str) else said[0]["text"])
    number = len(request.body["messages"]) // 2
    return Reply.text("Done.") if number >= turns else Reply.tool_use("nothing", {"number": number})


def bare(url: str, turns: int) -> None:
    """The SDK's loop."""

    @beta_tool
    def nothing(number: int) -> str:
        """Do nothing."""
        return str(number)

    with anthropic.Anthropic(api_key="fake-key", base_url=url, max_retries=0) as client:
        runner = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=1000,
            messages=[{"role": "user", "content": str(turns)}],
            tools=[nothing],
            max_iterations=turns + 1,
            thread=False,
        )
        if runner.until_done().stop_reason != "end_turn":
            raise SystemExit("the SDK's loop did not finish")  # noqa: EM101, TRY003 - a script's last words


def ours(url: str, turns: int) -> None:
    """The messages runner with a home in SQLite."""
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}}
    tool = Tool("nothing", "Do nothing.", schema, lambda given: str(given["number"]))
    agent = AgentDefinition(name="loop", prompt="Loop.", tools=(), limits=AgentLimits(max_turns=turns + 1))
    kept: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        open_home(folder, ANTHROPIC_BASE_URL=url, ANTHROPIC_API_KEY="fake-key", model=MODEL) as home,
    ):
        job = Job(job_id="loop", task=str(turns), workspace=Path(folder))
        runner = home.runner(agent, home.purse("loop", Budget()), extra=[tool])
        if runner.run(agent, job, keep=kept.append).end != "finished":
            raise SystemExit("our loop did not finish")  # noqa: EM101, TRY003
    if len(kept) != 2 * turns + 1:
        raise SystemExit("our loop did not save every step")  # noqa: EM101, TRY003


def measured(work: Callable[[str, int], None], url: str, turns: int) -> tuple[float, float]:
    """Milliseconds of processor time and of wall time per reply, the first few replies not counted."""
    work(url, 5)
    cpu, wall = time.process_time(), time.perf_counter()
    work(url, turns)
    replies = turns + 1
    return (time.process_time() - cpu) / replies * 1000, (time.perf_counter() - wall) / replies * 1000


def main() -> None:
    """Print one line per loop."""
    parser = argparse.ArgumentParser(description="Our tool loop beside the SDK's.")
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args().turns
    fake = subprocess.Popen(
        [sys.executable, "-m", "agentflows.testing.fake", "--script", "agent_loop:script"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"},
    )
    try:
        url = fake.stdout.readline().strip() if fake.stdout else ""
        for name, work in (("SDK's tool_runner", bare), ("messages runner", ours)):
            cpu, wall = measured(work, url, turns)
            print(f"{name}: {cpu:.1f} ms processor, {wall:.1f} ms wall per reply, {turns} turns")
    finally:
        fake.kill()
        fake.wait()


if __name__ == "__main__":
    main()
