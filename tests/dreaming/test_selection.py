"""A budget smaller than the archive: chosen, proven in the report, continued by the next dream."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflows.change import Budget, DreamReport
from agentflows.dream import markdown
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.errors import BudgetError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI
from tests.conftest import EXAMPLES
from tests.crash import workers
from tests.dreaming.model import LINT, answer, kind_of


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(answer) as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    with open_home(tmp_path / "home", base_url=fake.url, api_key=fake.api_key, concurrency=4) as doors:
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        yield doors


def request(**options: object) -> DreamRequest:
    return DreamRequest.model_validate({"engine": "claude", **options})


def read(fake: FakeMessagesAPI) -> int:
    return sum(kind_of(one) == "observations" for one in fake.requests)


def share(report: DreamReport, what: str) -> tuple[int, int]:
    return next((one.read, one.of) for one in report.coverage.shares if one.what == what)


def test_a_budget_for_a_few_sessions_reads_those_that_show_most(home: Home, fake: FakeMessagesAPI):
    """Instead of refusing; and the report proves what they stand for and says what comes next."""
    report = dream_over(home, request(budget=Budget(tokens=80_000)))
    coverage = report.coverage
    assert 5 < coverage.read < coverage.selected / 2
    assert coverage.read + coverage.unread == coverage.selected
    assert read(fake) == coverage.read
    seen, there = share(report, "distinct error signatures")
    assert seen == there > 3
    assert report.cost.usage.total <= 80_000
    text = markdown(report)
    assert f"{coverage.unread} sessions were left unread: the same command reads those next" in text
    assert f"| distinct error signatures | {seen} | {there} | 100% |" in text


def test_a_pattern_found_in_the_sample_is_counted_over_the_archive(home: Home):
    """Two of some sessions with the lint error are read; that it struck the others too, SQL knows."""
    report = dream_over(home, request(read_at_most=5))
    pattern = next(one for one in report.patterns if one.claim == LINT)
    struck = {
        address.partition("#")[0]
        for row in home.archive.pattern("error_signatures")
        for address in row["addresses"]
        if row["sessions"] == pattern.counted
    }
    assert pattern.counted > len(pattern.sessions) >= 1
    assert {quote.session_id for quote in pattern.quotes} <= {info.session_id for info in home.archive.info()}
    assert struck, "a mined signature has exactly that many sessions"
    change = next(one for one in report.changes if one.pattern_id == pattern.pattern_id)
    assert (change.support, change.counted) == (len(pattern.sessions), pattern.counted)
    assert f"read, {pattern.counted} counted over all selected" in markdown(report)


def test_the_next_dream_reads_the_rest_and_nothing_again(home: Home, fake: FakeMessagesAPI):
    """Each part has a budget of its own; the last one finds everything known; then nothing is done twice."""
    whole = len(home.archive.info())
    reports = [dream_over(home, request(read_at_most=20)) for _ in range(4)]
    left = [report.coverage.unread for report in reports]
    assert left[:3] == [whole - 20, max(0, whole - 40), max(0, whole - 60)]
    assert read(fake) == min(whole, 80)
    for report in reports[1:]:
        assert report.coverage.from_cache + report.coverage.read + report.coverage.unread == whole
    while dream_over(home, request(read_at_most=20)).coverage.unread:
        pass
    asked = len(fake.requests)
    last = dream_over(home, request(read_at_most=20))
    assert (len(fake.requests), last.coverage.unread) == (asked, 0)


def _part(folder: Path, url: str, key: str) -> None:
    with open_home(folder, base_url=url, api_key=key, concurrency=4) as doors:
        dream_over(doors, request(read_at_most=8))


def test_a_part_that_was_killed_is_finished_and_not_enlarged(
    home: Home, fake: FakeMessagesAPI, tmp_path: Path
):
    """The choice was kept before anything was spent on it."""
    workers.die_at("dream.read.5", _part, tmp_path / "home", fake.url, fake.api_key)
    (dead,) = home.state.dreams()
    report = dream_over(home, request(read_at_most=8))
    assert report.dream.dream_id == dead.dream_id
    assert report.coverage.read + report.coverage.from_cache == 8
    assert read(fake) <= 8 + 4, "calls under way died with the process"


def test_what_a_budget_leaves_unread_is_told_apart_from_what_a_number_does(home: Home):
    """An operator hears of a budget that is too small, and not of a quick look that was asked for."""
    for given, is_cut_short in (({"budget": Budget(tokens=80_000)}, True), ({"read_at_most": 3}, False)):
        run = DreamRun.start(home, request(**given))
        assert (run.report().coverage.unread > 0, run.is_cut_short) == (True, is_cut_short)
        run.release()


def test_only_a_budget_for_no_session_at_all_is_refused(home: Home, fake: FakeMessagesAPI):
    """And then nothing starts, no store is made, nothing is spent."""
    with pytest.raises(BudgetError, match=r"Reading the shortest of .* Nothing was spent"):
        dream_over(home, request(budget=Budget(tokens=2_000)))
    assert home.state.list_stores() == []
    assert not fake.requests


def test_rules_take_a_number_too(home: Home):
    """They cost nothing, but a person may want a quick look."""
    report = dream_over(home, DreamRequest(engine="rules", read_at_most=10))
    assert report.coverage.read == 10
    assert report.coverage.unread == report.coverage.selected - 10
