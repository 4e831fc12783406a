"""Reading that is interrupted sends nothing more: what waits in line is given up, whatever ends it."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from agentflows.archive import Selection
from agentflows.change import Observation
from agentflows.dream.engine import Hint
from agentflows.dream.rules import RulesEngine
from agentflows.dreaming.reading import Reader
from agentflows.errors import EndpointError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.session import Session
from tests.conftest import EXAMPLES

SESSIONS = 16


class Interrupted(RulesEngine):
    """It asks a model, so to say, and is interrupted at the first session; each later one takes a while."""

    model = "some-model"

    def __init__(self, interruption: BaseException) -> None:
        super().__init__()
        self.asked = 0
        self._interruption = interruption

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        self.asked += 1
        if self.asked == 1:
            raise self._interruption
        threading.Event().wait(0.1)
        return []


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with open_home(tmp_path_factory.mktemp("home"), concurrency=1) as opened:
        ingest_files(opened, discover(EXAMPLES / "sessions")[:SESSIONS])
        yield opened


@pytest.mark.parametrize(
    "interruption",
    [KeyboardInterrupt(), SystemExit(143), RuntimeError("a bug"), EndpointError("down")],
    ids=repr,
)
def test_whatever_ends_reading_gives_up_what_waits(home: Home, interruption: BaseException):
    """Each request that is still sent after Ctrl-C is paid for, and nobody reads its answer."""
    engine = Interrupted(interruption)
    keys = {info.session_id: info.session_id for info in home.archive.info(Selection())}
    assert len(keys) == SESSIONS
    with pytest.raises(type(interruption)):
        list(Reader(home, engine).read(keys, {}))
    assert engine.asked < SESSIONS, "one was asked, and another may have been under way"
