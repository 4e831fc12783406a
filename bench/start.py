"""Cold start: how long until each command says its first useful line, beside an empty Python and an import of Prefect.

`python bench/start.py --rounds 5` starts every command anew in each round, one after the other, and prints medians: seconds
until the line, as multiples of `python -c pass` and of `python -c "import prefect"`, and the processor seconds of the whole
command with the children it waited for. A server of one's own is not such a child; a temporary one is.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentflows import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PASS, PREFECT = "python -c pass", 'python -c "import prefect"'


@dataclass(frozen=True, slots=True)
class Start:
    """One command."""

    name: str
    words: tuple[str, ...]
    line: str = ""
    """How its first useful line begins, after blanks; "" takes the first line, and where there is none its end."""
    server: str = ""
    """`own`: one that is there already; `temporary`: started by the command; `first`: the same, with no database yet."""


STARTS = (
    Start(PASS, ("-c", "pass")),
    Start(PREFECT, ("-c", "import prefect")),
    Start("agentflows --help", ("-m", "agentflows", "--help")),
    Start("agentflows memory list", ("-m", "agentflows", "memory", "list")),
    Start("agentflows archive stats", ("-m", "agentflows", "archive", "stats")),
    Start("agentflows review list", ("-m", "agentflows", "review", "list")),
    Start(
        "agentflows dream, that it starts Prefect", ("-m", "agentflows", "dream"), "Starting Prefect", "own"
    ),
    Start(
        "agentflows dream, its first step, on a server of one's own",
        ("-m", "agentflows", "dream"),
        "1/9",
        "own",
    ),
    Start(
        "agentflows dream, its first step, with a temporary server",
        ("-m", "agentflows", "dream"),
        "1/9",
        "temporary",
    ),
    Start("the same, with no database of Prefect's yet", ("-m", "agentflows", "dream"), "1/9", "first"),
)


@dataclass(frozen=True, slots=True)
class Took:
    """What one start took."""

    first: float
    whole: float
    cpu: float


def started(one: Start, folder: Path, home: Path, server: str) -> Took:
    """Run it once over a copy of the home, and read along.

    Raises:
        SystemExit: it failed, or never said the line.
    """
    own = folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(home, own)
    if one.server == "first":
        shutil.rmtree(folder / "prefect", ignore_errors=True)
    begun, first, said = time.perf_counter(), 0.0, ""
    process = subprocess.Popen(
        [sys.executable, *one.words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(folder, own, server if one.server == "own" else ""),
    )
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if not first and line.strip() and line.strip().startswith(one.line):
            first = time.perf_counter() - begun
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - begun
    if process.returncode not in {0, 3} or (one.line and not first):
        sys.exit(f"{one.name}: exit code {process.returncode}\n{said}")
    return Took(first or whole, whole, used.ru_utime + used.ru_stime)


def environment(folder: Path, home: Path, server: str) -> dict[str, str]:
    """A user's, with a home and a Prefect folder of its own and nothing that asks a model."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "AGENTFLOWS_", "PREFECT_"))
    }
    own = {"AGENTFLOWS_HOME": str(home), "PREFECT_HOME": str(folder / "prefect"), "COLUMNS": "120"}
    return kept | own | ({"PREFECT_API_URL": server} if server else {})


@contextmanager
def own_server(folder: Path) -> Generator[str]:
    """A Prefect server on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    (folder / "server").mkdir()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(folder / "server", folder, ""),
        )
    try:
        wait_for(f"{api}/health", process)
        yield api
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers.

    Raises:
        SystemExit: the server ended.
    """
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("The Prefect server ended before it answered.")


def make_home(home: Path) -> None:
    """The example's sessions and memory."""
    with open_home(home) as doors:
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        doors.state.create_store("team", actor=doors.actor("bench"))
        doors.state.import_folder("team", EXAMPLES / "memory", actor=doors.actor("bench"))


def tell(taken: Mapping[str, list[Took]], load: float) -> None:
    """The table, as it stands in the README."""

    def median(name: str, what: str) -> float:
        return statistics.median(getattr(one, what) for one in taken[name])

    empty, prefect = median(PASS, "first"), median(PREFECT, "first")
    print(
        f"\nmedians of {len(taken[PASS])} rounds; one-minute load before {load:.1f}, after {os.getloadavg()[0]:.1f}\n"
    )
    print("| command | first line, s | ÷ empty Python | ÷ import of Prefect | whole, s | CPU s |")
    print("|---|---|---|---|---|---|")
    for name in taken:
        first = median(name, "first")
        print(
            f"| `{name}` | {first:.2f} | {first / empty:.0f} | {first / prefect:.2f} | "
            f"{median(name, 'whole'):.1f} | {median(name, 'cpu'):.2f} |"
        )


def main() -> None:
    """Every command in each round, so that all see the same load."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--only", default="", help="those whose name has this, beside the two to compare with"
    )
    given = options.parse_args()
    wanted = [one for one in STARTS if one.name in {PASS, PREFECT} or given.only in one.name]
    load = os.getloadavg()[0]
    taken: dict[str, list[Took]] = {one.name: [] for one in wanted}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_home(folder / "home")
        with own_server(folder) as server:
            for number in range(given.rounds):
                for one in wanted:
                    taken[one.name].append(started(one, folder, folder / "home", server))
                print(f"round {number + 1} of {given.rounds}", flush=True)
    tell(taken, load)


if __name__ == "__main__":
    main()
