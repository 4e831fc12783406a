"""The web page over a large home: milliseconds until each page is answered, over HTTP, with a server of its own.

`python bench/web.py --sessions 10000 --turns 5000 --changes 200` makes the home (`--home DIR` keeps it and uses it again):
so many sessions, one of them with so many turns, a dream over all of them, and one whose changes wait.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from make_sessions import make_sessions

from agentflows import DreamRequest, open_home
from agentflows.change import Change, Coverage, Dream, DreamReport, Quote, identity
from agentflows.dreaming import dream_over
from agentflows.home import Home
from agentflows.ingesting import batches, ingest_files
from agentflows.memory import MemoryEdit, sha256
from agentflows.readers import discover
from agentflows.web import Served

LONG = "long"


def make_long(folder: Path, turns: int) -> None:
    """One session of many turns, each with some text."""
    said = "A paragraph of what was done, and why, and what was seen when it was tried. " * 6
    lines = [
        {"role": "user" if number % 2 == 0 else "assistant", "content": f"{number}: {said}"}
        for number in range(turns)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{LONG}.json").write_text(json.dumps({"id": LONG, "messages": lines}), "utf-8")


def make_home(home: Home, folder: Path, given: argparse.Namespace) -> None:
    """Sessions, a dream over them, and a store with a dream that waits."""
    make_sessions(folder / "sessions", given.sessions)
    make_long(folder / "sessions", given.turns)
    for paths in batches(discover(folder / "sessions")):
        ingest_files(home, paths)
    dream_over(home, DreamRequest(store="bench", engine="rules"))
    ada = home.actor("ada")
    store = home.state.create_store("large", actor=ada)
    text = "# Large\n\n" + "".join(
        f"- Entry {number} says something of its own.\n" for number in range(given.changes * 2)
    )
    edit = MemoryEdit(path="/large.md", content=text, expected_sha256=None)
    store = home.state.commit(store.store_id, [edit], base_version=0, actor=ada)
    home.state.save_dream(waiting(home, store.store_id, given.changes))


def waiting(home: Home, store_id: str, count: int) -> DreamReport:
    """A dream with so many changes held, each with three quotes of real sessions."""
    store = home.state.get_store(store_id)
    infos = home.archive.page(limit=200).sessions
    changes: list[Change] = []
    for number in range(count):
        turns = [
            (info.session_id, home.archive.turn(info.session_id, 0)) for info in infos[number % 190 :][:3]
        ]
        quotes = tuple(
            Quote(
                session_id=session_id, seq=0, start=0, end=len(turn.text), text=turn.text, sha256=sha256(turn.text),
                trust=turn.trust, kind=turn.kind, root_id=session_id,
            )
            for session_id, turn in turns
        )  # fmt: skip
        after = f"- Lesson {number}: run `make check` before you push, and read what it says."
        changes.append(
            Change(
                change_id=f"chg_{identity(number)}", dream_id="drm_waiting", op="add", path="/large.md", heading="Large",
                after=after, reason="three sessions say so", support=3, origins=3, trust=3, quotes=quotes, status="held",
                status_reason="everything waits for review",
            )
        )  # fmt: skip
    dream = Dream(
        dream_id="drm_waiting", status="completed", store_id=store.store_id, store_name=store.name,
        base_version=store.version, base_sha256=store.sha256, engine="rules/1",
        session_ids=tuple(info.session_id for info in infos), created_at=datetime.now(UTC).replace(tzinfo=None),
    )  # fmt: skip
    coverage = Coverage(archived=len(infos), selected=len(infos), read=len(infos), from_cache=0)
    return DreamReport(dream=dream, changes=tuple(changes), coverage=coverage)


def pages(home: Home, given: argparse.Namespace) -> dict[str, str]:
    """What is asked for."""
    dreams = {line.output: line.dream.dream_id for line in home.state.dream_lines()}
    entry = home.state.memories("large")[0].content.split("\n")[2]
    session = home.archive.page(limit=1).sessions[0].session_id
    return {
        "first page": "/",
        "sessions": "/sessions",
        "sessions, the last page": f"/sessions?page={given.sessions // 50}",
        "sessions, filtered by words": "/sessions?text=variant+77",
        "search for words": "/search?q=uv+run+pytest",
        "a session": f"/session?id={quote(session)}",
        f"a session of {given.turns:,} turns": f"/session?id={LONG}",
        "its middle": f"/session?id={LONG}&at={given.turns // 2}",
        "a pattern: error signatures": "/patterns/error_signatures",
        "a pattern: tool sequences": "/patterns/tool_sequences",
        "dreams": "/dreams",
        f"a dream over {given.sessions:,} sessions": f"/dreams/{dreams['bench']}",
        "its ledger": f"/dreams/{dreams['bench']}/ledger",
        f"review of {given.changes} held changes": "/dreams/drm_waiting/review",
        "its last page": f"/dreams/drm_waiting/review?page={given.changes // 25}",
        "a change with its quotes in context": "/dreams/drm_waiting/changes/1",
        "a store": "/stores/large",
        "a memory": "/stores/large/file?path=/large.md",
        "an entry": f"/stores/large/entry?id=/large.md%23{sha256(entry)[:10]}",
        "two versions": "/stores/large/compare?from=0&to=1",
    }


def main() -> None:
    """Make the home when it is not there, serve it, ask."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, default=10_000)
    options.add_argument("--turns", type=int, default=5_000)
    options.add_argument("--changes", type=int, default=200)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--home", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = given.home or Path(folder) / "home"
        with open_home(where) as home:
            if not home.state.list_stores():
                make_home(home, Path(folder), given)
            measure(home, given)


def measure(home: Home, given: argparse.Namespace) -> None:
    """Serve in a thread, ask each page several times."""
    served, begun = Served(home, port=0), threading.Event()
    threading.Thread(target=served.run, kwargs={"begun": begun.set}, daemon=True).start()
    begun.wait(60)
    for name, path in pages(home, given).items():
        times: list[float] = []
        size = 0
        for _ in range(given.repeat):
            started = time.perf_counter()
            with urllib.request.urlopen(served.url.rstrip("/") + path) as answer:
                size = len(answer.read())
            times.append(1000 * (time.perf_counter() - started))
        print(
            f"{name:>40}: first {times[0]:6.0f} ms, median {statistics.median(times):6.0f} ms, {size / 1000:6.0f} kB",
            flush=True,
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
