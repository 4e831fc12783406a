"""What a job of many threads costs beside the ideal, beside bare asyncio, and beside an agent framework.

    python bench/orchestrate.py --threads 25 200 --latency 2
    python bench/orchestrate.py --threads 25 --framework ""          # without installing one

Every thread makes the same conversation with the same fake endpoint: `--rounds` replies, each after `--latency` seconds,
all but the last a call of a tool that writes a file. All threads run at once, so the ideal is rounds × latency. Bare
asyncio keeps nothing. Ours copies and merges a workspace per thread, counts money before and after each call, keeps
each reply, message and transcript on disk, and writes each run into the archive. `flow` is the same with each turn a
task run on a Prefect server that was started before. Each runs in a process of its own: seconds of the job, the SDK
imported before in every way; the process's CPU seconds and peak memory, all its libraries included. With `--repeat`
the medians are told. `load` is the machine's one-minute load average when the way began: on a busy machine only
the ratios of one run tell something.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the framework's environment runs this file too, and has no agentflows
    from agentflows.testing import FakeRequest, Reply

KEY = "fake-key"
MODEL = "claude-sonnet-5-5"
FRAMEWORK = "pydantic-ai-slim[anthropic]"
ROOT = Path(__file__).resolve().parents[1]


# -- the endpoint ----------------------------------------------------------------------------------------


def script(rounds: int) -> "Callable[[FakeRequest], Reply]":
    """Write a file in every round but the last."""
    from agentflows.testing import Reply

    def answer(request: "FakeRequest") -> Reply:
        number = sum(message["role"] == "assistant" for message in request.body["messages"])
        if number >= rounds - 1:
            return Reply.text("Done.")
        said = request.body["messages"][0]["content"]
        name = said if isinstance(said, str) else said[0]["text"]
        return Reply.tool_use("write", {"path": f"{name.split()[-1]}-{number}.md", "content": "x" * 500})

    return answer


def serve(pipe: Connection, latency: float, rounds: int) -> None:
    """The endpoint's process: answers until it is told to stop, then says how many requests came."""
    from agentflows.testing import FakeMessagesAPI

    with FakeMessagesAPI(api_key=KEY, latency_seconds=latency) as fake:
        fake.script(script(rounds))
        pipe.send(fake.url)
        pipe.recv()
        pipe.send((len(fake.requests), time.process_time()))


@contextmanager
def endpoint(latency: float, rounds: int) -> Generator[tuple[str, Callable[[], tuple[int, float]]]]:
    """Its address, and a way to end it and learn its requests and its CPU seconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, latency, rounds), daemon=True)
    process.start()

    def close() -> tuple[int, float]:
        ours.send("stop")
        return ours.recv()

    try:
        yield ours.recv(), close
    finally:
        process.join(10)


# -- what is measured, each in a process of its own ------------------------------------------------------


def bare(url: str, threads: int, rounds: int) -> float:
    """The SDK's asynchronous client, one coroutine per thread."""
    import anthropic

    async def one(client: anthropic.AsyncAnthropic, folder: Path, number: int) -> None:
        messages: list[Any] = [{"role": "user", "content": f"Write page{number}"}]
        tool: Any = {"name": "write", "description": "Write a file.", "input_schema": {"type": "object"}}
        for _ in range(rounds):
            reply = await client.messages.create(
                model=MODEL, max_tokens=1000, messages=messages, tools=[tool]
            )
            call = next((block for block in reply.content if block.type == "tool_use"), None)
            if call is None:
                return
            given: Any = call.input
            (folder / given["path"]).write_text(given["content"])
            result = {"type": "tool_result", "tool_use_id": call.id, "content": "written"}
            messages += [
                {"role": "assistant", "content": reply.content},
                {"role": "user", "content": [result]},
            ]

    async def everyone(folder: Path) -> None:
        limits = anthropic.DefaultAsyncHttpxClient(limits=_limits(threads))
        async with anthropic.AsyncAnthropic(
            api_key=KEY, base_url=url, max_retries=0, http_client=limits
        ) as client:
            await asyncio.gather(*(one(client, folder, number) for number in range(threads)))

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        asyncio.run(everyone(Path(folder)))
        return _checked(time.perf_counter() - began, Path(folder), threads * (rounds - 1))


def _limits(threads: int) -> Any:
    import httpx2

    return httpx2.Limits(max_connections=threads, max_keepalive_connections=threads)


def given(folder: Path, threads: int) -> dict[str, Any]:
    """A team of one writer, a plan with a thread per page, a workspace with some files in it, and a home."""
    (folder / "team").mkdir()
    (folder / "team" / "writer.md").write_text("---\nname: writer\ntools: [write]\n---\nYou write pages.\n")
    limits = f"max_threads: {threads}, at_once: {threads}"
    (folder / "team" / "team.yaml").write_text(f"limits: {{{limits}}}\n")
    tasks = "".join(
        f"  - {{id: p{number}, agent: writer, task: Write page{number}}}\n" for number in range(threads)
    )
    (folder / "plan.yaml").write_text(f"subtasks:\n{tasks}")
    (folder / "workspace").mkdir()
    for number in range(50):
        (folder / "workspace" / f"file{number}.txt").write_text(f"{number}\n" * 200)
    os.environ["AGENTFLOWS_CONCURRENCY"] = str(min(threads, 256))
    paths = {"team": folder / "team", "plan": folder / "plan.yaml", "workspace": folder / "workspace"}
    return {name: str(path) for name, path in paths.items()} | {"home": str(folder / "home")}


def ours(url: str, threads: int, rounds: int) -> float:
    """The Python API, without Prefect."""
    import anthropic  # noqa: F401  # pyright: ignore[reportUnusedImport] - a second, and outside the others' time too

    from agentflows import orchestrate

    os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = given(folder, threads)
        began = time.perf_counter()
        job = orchestrate(**asked)
        if job.status != "succeeded":
            raise SystemExit(f"the job ended {job.status}: {job.detail}")  # noqa: EM102, TRY003 - a script's last words
        return _checked(time.perf_counter() - began, folder / "workspace", threads * (rounds - 1))


def flow(url: str, threads: int, rounds: int) -> float:
    """The flow, against a server that runs already."""
    import anthropic  # noqa: F401  # pyright: ignore[reportUnusedImport] - as in `ours`
    from prefect.testing.utilities import prefect_test_harness

    from agentflows import load_flow

    os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}
    with tempfile.TemporaryDirectory() as name, prefect_test_harness(server_startup_timeout=180):
        folder = Path(name)
        asked = given(folder, threads)
        orchestrate = load_flow("orchestrate", ROOT)
        began = time.perf_counter()
        answer = orchestrate(**asked)
        seconds = time.perf_counter() - began
        if answer["status"] != "succeeded":
            raise SystemExit(f"the job ended {answer['status']}: {answer['detail']}")  # noqa: EM102, TRY003 - as above
        return _checked(seconds, folder / "workspace", threads * (rounds - 1))


def framework(url: str, threads: int, rounds: int) -> float:
    """Pydantic AI's agents, one run per thread, all in one event loop."""
    found: Any = import_module("pydantic_ai")
    model: Any = import_module("pydantic_ai.models.anthropic")
    provider: Any = import_module("pydantic_ai.providers.anthropic")
    import anthropic

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
        chosen = model.AnthropicModel(MODEL, provider=provider.AnthropicProvider(anthropic_client=client))
        made = found.Agent(chosen)

        def write(path: str, content: str) -> str:
            """Write a file."""
            (folder / path).write_text(content)
            return "written"

        made.tool_plain(write)

        async def everyone() -> None:
            await asyncio.gather(*(made.run(f"Write page{number}") for number in range(threads)))

        began = time.perf_counter()
        asyncio.run(everyone())
        return _checked(time.perf_counter() - began, folder, threads * (rounds - 1))


def _checked(seconds: float, folder: Path, wanted: int) -> float:
    """The seconds, when all pages are there: a quick run that did half of it is no run."""
    found = len(list(folder.glob("page*.md")))
    if found != wanted:
        raise SystemExit(f"{found} pages were written, {wanted} were asked for")  # noqa: EM102, TRY003 - as above
    return seconds


WAYS: dict[str, Callable[[str, int, int], float]] = {
    "asyncio": bare,
    "framework": framework,
    "ours": ours,
    "flow": flow,
}


# -- the run -----------------------------------------------------------------------------------------------


def measured(python: str, way: str, threads: int, latency: float, rounds: int) -> dict[str, Any]:
    """One way in a process of its own, with what it took."""
    with endpoint(latency, rounds) as (url, close):
        words = ["--way", way, "--url", url, "--threads", str(threads), "--rounds", str(rounds)]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AGENTFLOWS_")}
        quiet = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        done = subprocess.run(
            [python, __file__, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            env=variables | quiet,
        )
        requests, cpu = close()
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr.strip()[-2000:]}")  # noqa: EM102, TRY003 - as above
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"requests": requests, "endpoint_cpu": cpu}


def medians(python: str, way: str, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """The median of each figure over the repeats."""
    load = os.getloadavg()[0]
    runs = [
        measured(python, way, threads, options.latency, options.rounds) for _ in range(max(1, options.repeat))
    ]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]} | {"load": load}


def with_framework(package: str, folder: Path) -> str:
    """The interpreter of a throw-away environment that has the framework; "" where it cannot be installed."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    words = [python, "-m", "pip", "-q", "--disable-pip-version-check", "install", package]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        print(f"SKIPPED: {package} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
        return ""
    return python


def main() -> None:
    """Read the options, measure each way, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[25, 200])
    parser.add_argument("--latency", type=float, default=2.0, help="seconds per reply")
    parser.add_argument("--rounds", type=int, default=3, help="replies per thread")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each way; medians are told")
    parser.add_argument("--framework", default=FRAMEWORK, help='package to compare with; "" for none')
    parser.add_argument("--framework-python", default="", help="interpreter that has it already")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        seconds = WAYS[options.way](options.url, options.threads[0], options.rounds)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime
        print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": used.ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Measure what was asked for."""
    ways = list(options.ways)
    other = options.framework_python
    if "framework" in ways and not other:
        other = with_framework(options.framework, folder / "venv") if options.framework else ""
    if not other and "framework" in ways:
        ways.remove("framework")
    ideal = options.rounds * options.latency
    print(
        f"ideal {ideal:.1f} s: {options.rounds} replies after {options.latency} s each, all threads at once"
    )
    print("| threads | way | seconds | ÷ ideal | CPU s | peak MB | endpoint's CPU s | requests | load |")
    print("|---|---|---|---|---|---|---|---|---|")
    for threads in options.threads:
        seconds: dict[str, float] = {}
        for way in ways:
            python = other if way == "framework" else sys.executable
            found = medians(python, way, threads, options)
            seconds[way] = found["seconds"]
            told = f"{found['cpu']:.1f} | {found['megabytes']:.0f} | {found['endpoint_cpu']:.1f} | {found['requests']:.0f} | {found['load']:.0f}"
            print(
                f"| {threads} | {way} | {found['seconds']:.2f} | {found['seconds'] / ideal:.2f} | {told} |",
                flush=True,
            )
        if {"ours", "flow"} <= seconds.keys():
            extra = seconds["flow"] - seconds["ours"]
            print(
                f"Prefect's share at {threads}: {extra:.2f} s, {100 * extra / seconds['flow']:.0f} %, {1000 * extra / threads:.0f} ms per turn"
            )


if __name__ == "__main__":
    main()
