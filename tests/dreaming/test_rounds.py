"""How a dream keeps its callers busy: full rounds of readings, patterns judged side by side."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.dreaming import DreamRequest, DreamRun
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.conftest import EXAMPLES

AT_ONCE = 4
NO_RULE = "make: *** No rule to make target 'test'.  Stop."
LINT = "✖ 1 problem (1 error, 0 warnings)"
QUOTES = {"tests": NO_RULE, "lint": LINT}


@pytest.fixture
def together() -> threading.Barrier:
    """Two questions about patterns must meet here, or the first one fails."""
    return threading.Barrier(2, timeout=60)


@pytest.fixture
def home(tmp_path: Path, together: threading.Barrier) -> Iterator[Home]:
    """The example's sessions, and a model that learns two lessons from them."""

    def script(request: FakeRequest) -> dict[str, Any]:
        wanted: dict[str, Any] = (request.schema or {})["properties"]
        if "observations" in wanted:
            found = [lesson_in(name, text, request.last_text) for name, text in QUOTES.items()]
            return {"observations": [lesson for lesson in found if lesson], "suspicious": []}
        if "pairs" in wanted:
            return {"pairs": []}
        together.wait()
        return {
            "reason": "", "op": "nothing", "entry_ids": [], "path": "", "heading": "", "after": "", "risks": [],
        }  # fmt: skip

    with (
        FakeMessagesAPI().script(script) as fake,
        open_home(
            tmp_path, base_url=fake.url, api_key=fake.api_key, concurrency=AT_ONCE, batch_sessions=15
        ) as doors,
    ):
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        yield doors


def lesson_in(name: str, text: str, material: str) -> dict[str, Any] | None:
    """One of the lessons, where its words stand in what the model is shown."""
    at = material.find(text)
    if at < 0:
        return None
    label = material.rindex("⟦#", 0, at)
    seq = int(material[label + 2 :].split(maxsplit=1)[0])
    return {
        "quotes": [{"seq": seq, "text": text}], "kind": "error", "subject": name, "attribute": "how it fails",
        "scope": "", "claim": text, "when": "", "when_not": "", "stance": "for", "value": "", "said_outright": False,
    }  # fmt: skip


def test_every_batch_but_the_last_is_full_rounds(home: Home):
    """Fifteen sessions by four callers leave one idle at the end of each batch; twelve do not."""
    run = DreamRun.start(home, DreamRequest(engine="claude"))
    run.recall()
    assert {len(batch) for batch in run.pending[:-1]} == {12}


def test_rules_take_batches_as_they_are_set(home: Home):
    """They call nobody, so there is nothing to fill."""
    run = DreamRun.start(home, DreamRequest(engine="rules"))
    run.recall()
    assert {len(batch) for batch in run.pending[:-1]} == {15}


def test_patterns_are_put_to_the_model_side_by_side(home: Home, together: threading.Barrier):
    """One after the other, each would wait for the model alone; the endpoint sees two at once."""
    run = DreamRun.start(home, DreamRequest(engine="claude"))
    run.mine()
    run.recall()
    for number in range(1, len(run.pending) + 1):
        run.extract(number)
    run.check_quotes()
    assert run.cluster() == 2
    run.propose()
    assert not together.broken
