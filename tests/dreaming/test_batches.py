"""Dreams over Message Batches: handed in once, collected by whoever comes, and the rest asked one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import Budget, DreamReport
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.errors import EndpointError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES
from tests.crash import workers
from tests.dreaming.model import answer, kind_of

SESSIONS = 16
Open = Callable[..., Home]


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI(batch_polls=2).script(answer) as api:
        yield api


@pytest.fixture
def opened(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Open]:
    """Opens homes over one folder with a few of the example's sessions."""
    homes: list[Home] = []

    def open_one(folder: str = "home", **settings: Any) -> Home:
        given = {"base_url": fake.url, "api_key": fake.api_key, "batch_poll_seconds": 0.01}
        homes.append(open_home(tmp_path / folder, **(given | settings)))
        ingest_files(homes[-1], discover(EXAMPLES / "sessions")[:SESSIONS])
        return homes[-1]

    yield open_one
    for home in homes:
        home.close()


def asked(**options: Any) -> DreamRequest:
    return DreamRequest.model_validate({"engine": "claude", "calls": "batch", **options})


def single(fake: FakeMessagesAPI) -> list[FakeRequest]:
    """The sessions that were asked about one by one, not in a batch: those with the headers of a request."""
    return [one for one in fake.requests if one.headers and kind_of(one) == "observations"]


def said(report: DreamReport) -> list[tuple[str, str | None, str]]:
    return [(change.op, change.after, change.status) for change in report.changes]


def test_a_dream_in_batches_comes_out_as_one_that_asked_one_by_one(opened: Open, fake: FakeMessagesAPI):
    """The price differs, the answers do not; and the dream has the same name."""
    batched = dream_over(opened(), asked())
    assert len(fake.batches) == 2, "one for the sessions, one for the patterns"
    assert not single(fake)
    plain = dream_over(opened("second"), asked(calls="interactive"))
    assert said(batched) == said(plain) != []
    assert batched.dream.session_ids == plain.dream.session_ids
    assert batched.cost.usage.output_tokens == plain.cost.usage.output_tokens
    assert batched.cost.usage.total == plain.cost.usage.total


def test_a_second_dream_hands_nothing_in(opened: Open, fake: FakeMessagesAPI):
    """Every answer is kept under its question."""
    home = opened()
    dream_over(home, asked())
    before = len(fake.requests)
    dream_over(home, asked())
    assert (len(fake.batches), len(fake.requests)) == (2, before)


def test_what_a_batch_left_unanswered_is_asked_one_by_one(opened: Open, fake: FakeMessagesAPI):
    """Three of its questions expire or err: those three, and no other, are asked again."""
    fake.first(Reply.expired(), Reply.error(500, "overloaded"), Reply.refusal())
    report = dream_over(opened(), asked())
    assert len(single(fake)) == 3
    assert (report.coverage.read, report.coverage.failed) == (SESSIONS, 0)
    assert any("left 3 of 16 questions unanswered" in note for note in report.notes)


def test_a_dream_that_waited_long_enough_is_pending_and_goes_on_later(opened: Open, fake: FakeMessagesAPI):
    """The next run of the same command collects; nothing was handed in twice, the store was free meanwhile."""
    home = opened(batch_wait_seconds=0)
    first = dream_over(home, asked())
    assert (first.dream.status, first.coverage.read) == ("pending", 0)
    assert any("waits for 1 batch" in note for note in first.notes)
    assert dream_over(home, asked(engine="rules", calls="interactive")).dream.status == "completed"
    later = opened()
    done = dream_over(later, asked())
    assert done.dream.status == "completed"
    assert done.dream.dream_id == first.dream.dream_id
    assert len(fake.batches) == 2
    assert not single(fake)


def test_a_batch_whose_results_are_kept_no_more_is_asked_one_by_one(opened: Open, fake: FakeMessagesAPI):
    """After four weeks the endpoint still shows the batch, without results: no later dream may fail at it."""
    assert dream_over(opened(batch_wait_seconds=0), asked()).dream.status == "pending"
    fake.batches[0].archive()
    done = dream_over(opened(), asked())
    assert (done.dream.status, done.coverage.read, done.coverage.failed) == ("completed", SESSIONS, 0)
    assert any("counts as spent and is asked one by one" in note for note in done.notes)
    assert len(single(fake)) == SESSIONS


def test_a_later_dream_over_more_sessions_collects_what_an_earlier_one_handed_in(
    opened: Open, fake: FakeMessagesAPI
):
    """The nightly case: another dream by then. The earlier one is canceled, its answers are used."""
    first = dream_over(opened(batch_wait_seconds=0), asked())
    home = opened()
    ingest_files(home, discover(EXAMPLES / "sessions")[: SESSIONS + 3])
    done = dream_over(home, asked())
    assert done.dream.dream_id != first.dream.dream_id
    assert done.dream.status == "completed"
    assert [len(batch.requests) for batch in reversed(fake.batches)][:2] == [SESSIONS, 3]
    assert home.state.dream(first.dream.dream_id).dream.status == "canceled"


def _dream(folder: Path, url: str, key: str) -> None:
    with open_home(folder, base_url=url, api_key=key, batch_poll_seconds=0.01) as home:
        dream_over(home, asked())


@pytest.mark.parametrize(
    ("point", "batches"), [("batch.submitted", 2), ("batch.collected", 2), ("batch.begun", 2)]
)
def test_a_dream_killed_around_its_batch_hands_nothing_in_twice(
    opened: Open, fake: FakeMessagesAPI, tmp_path: Path, point: str, batches: int
):
    """Kill -9 between handing in and collecting: the handle was on disk before anything else."""
    opened().close()
    workers.die_at(point, _dream, tmp_path / "home", fake.url, fake.api_key)
    home = opened()
    report = dream_over(home, asked())
    assert report.dream.status == "completed"
    assert len(fake.batches) == batches
    assert sum(kind_of(one) == "observations" for one in fake.requests) == SESSIONS


def test_a_budget_too_small_for_a_whole_batch_splits_it(opened: Open, fake: FakeMessagesAPI):
    """A batch sets aside the most it can cost; what does not fit is handed in less, or asked one by one."""
    report = dream_over(opened(concurrency=2), asked(budget=Budget(tokens=120_000)))
    assert report.coverage.read == SESSIONS
    sizes = [len(batch.requests) for batch in fake.batches]
    assert 0 < max(sizes) < SESSIONS
    assert report.cost.usage.total < 120_000


def test_the_most_a_batch_can_cost_is_set_aside_until_it_is_collected(opened: Open):
    """So that other calls of the dream cannot spend it meanwhile."""
    home = opened(batch_wait_seconds=0)
    pending = dream_over(home, asked())
    level = f"dream:{pending.dream.dream_id}"
    assert home.state.balance(level).reserved_tokens > 0
    done = dream_over(opened(), asked())
    balance = home.state.balance(level)
    assert balance.reserved_tokens == 0
    assert balance.tokens == done.cost.usage.total


def test_an_endpoint_without_batches_is_asked_one_by_one_when_it_is_left_to_us(
    opened: Open, fake: FakeMessagesAPI
):
    """`auto` promises nothing; `batch` does, and says that it cannot."""
    home = opened()
    fake.first_on_batches(Reply.error(404, "no such path", error_type="not_found_error"))
    with pytest.raises(EndpointError, match="no such path"):
        dream_over(home, asked())
    assert not fake.batches


def test_few_questions_are_not_worth_a_batch_when_it_is_left_to_us(opened: Open, fake: FakeMessagesAPI):
    """`auto` waits for nothing that a minute of single calls would do."""
    assert dream_over(opened(), asked(calls="auto")).dream.status == "completed"
    assert not fake.batches


def test_the_wait_says_how_far_it_is(opened: Open):
    """A line when it begins; the answers are there when it ends."""
    run = DreamRun.start(opened(), asked())
    run.mine()
    run.recall()
    assert run.hand_in_sessions() == SESSIONS
    told: list[str] = []
    assert run.wait(told.append)
    assert told == ["    waiting for 1 batch, 0 min so far"]


def test_a_batch_is_collected_where_it_was_handed_in(opened: Open, fake: FakeMessagesAPI):
    """Another endpoint that serves the same model does not know it: paid answers must not count as lost for that."""
    first = dream_over(opened(batch_wait_seconds=0), asked())
    with FakeMessagesAPI(batch_polls=2).script(answer) as other:
        elsewhere = dream_over(
            opened(base_url=other.url, api_key=other.api_key), asked(instructions="Be brief.")
        )
    assert (elsewhere.dream.status, elsewhere.coverage.read) == ("completed", SESSIONS)
    assert not any("counts as spent" in note for note in elsewhere.notes)
    (batch,) = opened().state.open_batches(f"{first.dream.model} at {fake.url}")
    assert batch.dream_id == first.dream.dream_id
