"""What there is when a page begins, made once and copied: `% start: a dream over the example waits for review`."""

import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.sandbox.ability import find_ability
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, minimal_reply
from tests.conftest import EXAMPLES
from tests.docs.pages import MACHINES, Page
from tests.docs.shell import run_page
from tests.dreaming.model import answer
from tests.free_port import free_port


def _nothing(_: Path) -> None:
    """No home yet."""


def _sessions(folder: Path) -> None:
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))


def _dream(folder: Path) -> None:
    _sessions(folder)
    with open_home(folder) as home:
        home.state.create_store("example", actor=home.actor("reader"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("reader"))
        dream_over(home, DreamRequest(store="example", engine="rules"))


STARTS: Mapping[str, Callable[[Path], None]] = {
    "": _nothing,
    MACHINES: _nothing,
    "the example's sessions are in the archive": _sessions,
    "a dream over the example waits for review": _dream,
}
_made: dict[str, Path] = {}


def check_page(
    page: Page, folder: Path, factory: pytest.TempPathFactory, *, seconds: float = 280, **variables: str
) -> None:
    """Do what a page says, and see that it comes out as it says."""
    if page.start not in _made:
        _made[page.start] = factory.mktemp("start") / "home"
        STARTS[page.start](_made[page.start])
    if _made[page.start].exists():
        shutil.copytree(_made[page.start], folder / "home" / ".agentflows")
    if find_ability().problems:
        page = page.without("needs a sandbox")
    with _model() as model:
        done = run_page(page.told(_own_ports()), folder, variables, model, seconds=seconds)
    problems = [one.problem for one in done if one.problem]
    assert not problems, "\n\n".join(problems)
    assert len(done) == len(page.to_run), f"{page.name} ended before {page.to_run[len(done)]}"


def _own_ports() -> dict[str, str]:
    """Ports for those of the web page: another run of the tests, or a user's own page, may have these."""
    reading, deciding = free_port(), free_port()
    return {
        "agentflows ui": f"agentflows ui --port {reading}",  # a second `--port` behind it counts
        "127.0.0.1:4280": f"127.0.0.1:{reading}",
        "--port 4281": f"--port {deciding}",
        "127.0.0.1:4281": f"127.0.0.1:{deciding}",
    }


def _answer(request: FakeRequest) -> Mapping[str, Any] | Reply:
    asked = (request.schema or {}).get("properties", {})
    return (
        answer(request)
        if {"observations", "pairs", "proposals", "claims", "after"} & set(asked)
        else minimal_reply(request)
    )


@contextmanager
def _model() -> Generator[dict[str, str]]:
    """A model that reads two errors in the sessions and has nothing against anything."""
    with FakeMessagesAPI() as fake:
        fake.script(_answer)
        yield {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key}
