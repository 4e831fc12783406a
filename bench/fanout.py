"""A dream whose sessions are read by 1 and by 2 workers of the work pool, beside the same dream in one process.

`python bench/fanout.py --sessions 400 --latency 0.5`. The model is the fake endpoint, in a process of its own; each call
takes `--latency` seconds. State is SQLite and the archive a folder, shared by all; server and workers are started before
the clock is. `--latency 0` reads with rules: then only what the fan-out itself takes is measured.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from endpoint import KEY, Endpoint
from make_sessions import make_sessions

from agentflows.home import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover

ROOT = Path(__file__).resolve().parents[1]
PORT = 18_400
DREAM = """
import resource, time
from agentflows import load_flow, open_home
flow = load_flow("dream")
started = time.perf_counter()
answer = flow(store="bench", engine={engine!r}, dispatch={dispatch!r})
seconds = time.perf_counter() - started
with open_home() as home:
    report = home.state.dream(answer["dream_id"])
print(seconds, report.coverage.read, report.coverage.failed, len(report.changes))
"""


@contextmanager
def started(variables: Mapping[str, str], log: Path, *words: str) -> Generator[None]:
    """A `prefect …` process, ended afterwards."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            cwd=ROOT,
            env=os.environ | dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def prefect(variables: Mapping[str, str], *words: str) -> None:
    """One command."""
    subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=ROOT,
        env=os.environ | dict(variables),
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )


def wait_for(url: str) -> None:
    """Until a server answers, for some minutes."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    sys.exit(f"{url} does not answer")


def dream(variables: Mapping[str, str], engine: str, dispatch: str) -> list[float]:
    """Seconds, sessions read, sessions failed, changes."""
    done = subprocess.run(
        [sys.executable, "-c", DREAM.format(engine=engine, dispatch=dispatch)],
        cwd=ROOT,
        env=os.environ | dict(variables),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def fill(home: Path, sessions: Path, count: int) -> None:
    """The archive and the store that every reading gets a copy of."""
    make_sessions(sessions, count)
    with open_home(home) as doors:
        for paths in batches(discover(sessions)):
            ingest_files(doors, paths)
        doors.state.create_store("bench", actor=doors.actor("bench"))


def main() -> None:
    """Each way over a copy of the same home, so that none knows what another read."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, default=400)
    options.add_argument("--part", type=int, default=100)
    options.add_argument("--latency", type=float, default=0.5)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = options.parse_args()
    engine = "claude" if given.latency else "rules"
    api = f"http://127.0.0.1:{PORT}/api"
    with (
        tempfile.TemporaryDirectory() as name,
        Endpoint(given.latency) if given.latency else nullcontext() as endpoint,
    ):
        folder = Path(name)
        fill(folder / "home", folder / "sessions", given.sessions)
        model = {"ANTHROPIC_BASE_URL": endpoint.url, "ANTHROPIC_API_KEY": KEY} if endpoint else {}
        common = {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "AGENTFLOWS_PART_SESSIONS": str(given.part),
        } | model
        server = ("server", "start", "--host", "127.0.0.1", "--port", str(PORT))
        with started(common, folder / "server.log", *server):
            wait_for(f"{api}/health")
            prefect(common, "work-pool", "create", "agentflows", "--type", "process")
            prefect(common, "--no-prompt", "deploy", "--name", "dream-batch")
            base = 0.0
            for workers in (0, *given.workers):
                home = folder / f"home-{workers}"
                shutil.copytree(folder / "home", home)
                seconds, read, failed, changes = measured(
                    common | {"AGENTFLOWS_HOME": str(home)}, folder, engine, workers
                )
                base = base or seconds
                way = f"{workers} workers, parts of {given.part}" if workers else "one process"
                print(
                    f"{way:>28}: {seconds:6.1f} s, {base / seconds:.2f} × as fast; {read:.0f} read, {failed:.0f} failed, "
                    f"{changes:.0f} changes",
                    flush=True,
                )


def measured(variables: Mapping[str, str], folder: Path, engine: str, workers: int) -> list[float]:
    """One dream; the workers were up before it began."""
    if not workers:
        return dream(variables, engine, "tasks")
    words = ("worker", "start", "--pool", "agentflows", "--limit", "1", "--name")
    second = started(variables, folder / "two.log", *words, "two") if workers > 1 else nullcontext()
    with started(variables, folder / "one.log", *words, "one"), second:
        time.sleep(10)
        return dream(variables, engine, "deployment")


if __name__ == "__main__":
    main()
