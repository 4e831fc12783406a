"""What an outcome costs beside a bare loop of the SDK, over the same endpoint: time per iteration.

    python bench/outcome.py --iterations 20 --latency 0.5

Both draft and revise with one tool call and one last word, and ask a grader once: three model calls per iteration.
The bare loop keeps nothing. Ours also freezes and hashes the workspace twice, keeps every step in SQLite, counts
money before and after each call, verifies quotes, and writes each run with its verdicts into the archive.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
from anthropic import beta_tool

from agentflows.agent import AgentDefinition
from agentflows.pursuing import pursue
from agentflows.testing import FakeRequest, Reply

MODEL = "claude-sonnet-5-5"
MOST = 21
"""Iterations of one outcome: a draft and twenty revisions."""
RUBRIC = "# Notes\n\n- **rain**: The notes name rain.\n- **sun**: The notes name sun.\n"
GRADER = "You are an independent grader"


def script(request: FakeRequest) -> Reply:
    """A grader that is never satisfied, each time for another reason; and a writer that writes something new."""
    time.sleep(float(os.environ.get("BENCH_LATENCY", "0")))
    if GRADER in request.text:
        number = max(map(int, re.findall(r"Version (\d+)\.", request.text)), default=0)
        said: dict[str, Any] = {
            "reads": [],
            "applies_reason": "it applies",
            "applies": True,
            "criteria": [
                {
                    "criterion": name,
                    "reason": f"not in version {number}",
                    "quotes": [],
                    "verdict": "unmet",
                    "needed": "",
                }
                for name in ("rain", "sun")
            ],
        }
        return Reply.text(json.dumps(said))
    replies = sum(message["role"] == "assistant" for message in request.body["messages"])
    if replies % 2:
        return Reply.text("Done.")
    return Reply.tool_use("write", {"path": f"notes{replies}.md", "content": f"Version {replies}."})


def bare(url: str, iterations: int) -> None:
    """The SDK's tool runner for the writer, one call for the grader, a list of messages, and nothing kept."""
    with tempfile.TemporaryDirectory() as folder:

        @beta_tool
        def write(path: str, content: str) -> str:
            """Write a file."""
            (Path(folder) / path).write_text(content)
            return "written"

        history: list[Any] = [{"role": "user", "content": "Write notes"}]
        with anthropic.Anthropic(api_key="fake-key", base_url=url, max_retries=0) as client:
            for _ in range(iterations):
                runner = client.beta.messages.tool_runner(
                    model=MODEL,
                    max_tokens=1000,
                    messages=history,
                    tools=[write],
                    max_iterations=5,
                    thread=False,
                )
                call, last = list(runner)
                block: Any = call.content[0]
                result = [{"type": "tool_result", "tool_use_id": block.id, "content": "written"}]
                history += [
                    {"role": "assistant", "content": call.content},
                    {"role": "user", "content": result},
                ]
                history.append({"role": "assistant", "content": last.content})
                files = "\n".join(path.read_text() for path in sorted(Path(folder).iterdir()))
                asked = f"{GRADER}. {RUBRIC}\n{files}\nAnswer in JSON."
                graded = client.messages.create(
                    model=MODEL, max_tokens=2400, messages=[{"role": "user", "content": asked}]
                )
                history.append({"role": "user", "content": str(graded.content[0])})


def ours(url: str, iterations: int) -> None:
    """A whole outcome, in a home of its own."""
    agent = AgentDefinition(name="writer", prompt="You write.", tools=("write",), sha256="1")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "fake-key", "AGENTFLOWS_MODEL": MODEL}
        (workspace := Path(folder, "workspace")).mkdir()
        found = pursue(
            "Write notes",
            rubric=RUBRIC,
            agent=agent,
            workspace=workspace,
            home=Path(folder, "home"),
            max_iterations=iterations - 1,
        )
        if len(found.evaluations) != iterations:
            msg = f"our loop made {len(found.evaluations)} of {iterations} iterations: {found.result}"
            raise SystemExit(msg)


def measured(work: Callable[[str, int], None], url: str, iterations: int) -> tuple[float, float]:
    """Milliseconds of processor time and of wall time per iteration, imports and the first one not counted."""
    work(url, 1)
    cpu, wall = time.process_time(), time.perf_counter()
    work(url, iterations)
    return (time.process_time() - cpu) / iterations * 1000, (time.perf_counter() - wall) / iterations * 1000


def main() -> None:
    """Print one line per loop, and the ratio."""
    parser = argparse.ArgumentParser(description="An outcome beside a bare loop.")
    parser.add_argument("--iterations", type=int, default=10, choices=range(2, MOST + 1), metavar="2..21")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds of each model call")
    given = parser.parse_args()
    fake = subprocess.Popen(
        [sys.executable, "-m", "agentflows.testing.fake", "--script", "outcome:script"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={
            "PYTHONPATH": str(Path(__file__).parent),
            "PATH": "/usr/bin:/bin",
            "BENCH_LATENCY": str(given.latency),
        },
    )
    try:
        url = fake.stdout.readline().strip() if fake.stdout else ""
        walls: list[float] = []
        for name, work in (("bare loop", bare), ("outcome", ours)):
            cpu, wall = measured(work, url, given.iterations)
            walls.append(wall)
            print(f"{name}: {cpu:.0f} ms processor, {wall:.0f} ms wall per iteration of 3 calls")
        print(
            f"outcome / bare: {walls[1] / walls[0]:.2f} at {given.latency:g} s per call, "
            f"{given.iterations} iterations; {walls[1] - walls[0]:.0f} ms more per iteration"
        )
    finally:
        fake.kill()
        fake.wait()


if __name__ == "__main__":
    main()
