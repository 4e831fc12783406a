"""A dream whose sessions others read comes out as if it had read them itself."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from agentflows.change import Budget, DreamReport
from agentflows.dreaming import DreamRequest, DreamRun, carry_out_part, dream_over
from agentflows.errors import BudgetError, DreamError, EndpointError, SettingsError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES
from tests.dreaming.model import answer, kind_of

SIZE = 10
"""Sessions in a part: four parts of the example's 33."""


class Site:
    """One installation, and any number of machines that share its state and archive and have homes of their own."""

    def __init__(self, folder: Path, fake: FakeMessagesAPI) -> None:
        self.folder, self.fake = folder, fake
        self.shared = {
            "state_url": f"sqlite:///{folder / 'shared' / 'state.db'}",
            "archive_url": str(folder / "shared" / "archive"),
        }

    def machine(self, name: str, **settings: object) -> Home:
        given = {"base_url": self.fake.url, "api_key": self.fake.api_key, "concurrency": 2} | settings
        return open_home(self.folder / name, **self.shared, **given)

    def copy(self, folder: Path) -> "Site":
        """The same installation at the same moment."""
        shutil.copytree(self.folder / "shared", folder / "shared")
        return Site(folder, self.fake)


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(answer) as api:
        yield api


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's sessions and store."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "shared").mkdir()
    state = f"sqlite:///{folder / 'shared' / 'state.db'}"
    with open_home(folder / "one", state_url=state, archive_url=str(folder / "shared" / "archive")) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
    return folder


@pytest.fixture
def site(template: Path, tmp_path: Path, fake: FakeMessagesAPI) -> Site:
    return Site(template, fake).copy(tmp_path / "site")


def request(engine: str = "claude", **options: object) -> DreamRequest:
    return DreamRequest.model_validate({"store": "example", "engine": engine, **options})


def by_machines(site: Site, *names: str, size: int = SIZE, **settings: object) -> Callable[[DreamRun], None]:
    """Has each part carried out on some machine, as many at once as there are machines."""

    def elsewhere(run: DreamRun) -> None:
        numbers = run.part_out(size)
        with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
            machines = [stack.enter_context(site.machine(name, **settings)) for name in names]

            def carry(number: int) -> None:
                machine = machines[number % len(machines)]
                carry_out_part(machine, run.dream.dream_id, number, 0, told=lambda _done, _count: None)

            list(pool.map(carry, numbers))
        run.take_in(list(run.parts_ended(dict.fromkeys(numbers, 0)).values()))

    return elsewhere


def told(report: DreamReport) -> dict[str, object]:
    """All of a report but when it was made, and in which order a model's answers came."""
    dump = report.model_dump(mode="json", exclude={"cost", "notes"})
    for name in ("created_at", "ended_at"):
        dump["dream"].pop(name)
    dump["refusals"] = sorted(dump["refusals"], key=str)
    return dump


def asked(fake: FakeMessagesAPI) -> Counter[str]:
    """How often each session was asked about."""
    return Counter(one.last_text for one in fake.requests if kind_of(one) == "observations")


@pytest.mark.parametrize("engine", ["rules", "claude"])
def test_it_is_the_same_dream_wherever_its_sessions_are_read(site: Site, tmp_path: Path, engine: str):
    """Same id, same changes, same quotes, same coverage; and no model is asked more."""
    other = site.copy(tmp_path / "other")
    with site.machine("one") as home:
        alone = dream_over(home, request(engine))
    paid = asked(site.fake)
    with other.machine("one") as home:
        parted = dream_over(home, request(engine), elsewhere=by_machines(other, "two", "three"))
        assert home.state.cached([f"part:{parted.dream.dream_id}", f"part:{parted.dream.dream_id}/1"]) == {}
    assert told(parted) == told(alone)
    assert parted.changes
    assert asked(site.fake) == paid + paid


def test_a_budget_holds_over_all_machines(site: Site):
    """It is set aside before each call, by all of them from one row; where it is tight, they wait for each other."""
    with site.machine("one") as home:
        run = DreamRun.start(home, request())
        tokens = run.plan.tokens
        run.fail(DreamError("only to learn the estimate"))
        report = dream_over(
            home,
            request(budget=Budget(tokens=tokens)),
            elsewhere=by_machines(site, "two", "three", "four", concurrency=8),
        )
        assert report.coverage.failed == 0
        assert report.coverage.read == report.coverage.selected
        balance = home.state.balance(f"dream:{report.dream.dream_id}")
        assert balance.tokens + balance.reserved_tokens <= tokens


def test_a_budget_that_is_spent_ends_the_dream_as_it_does_alone(site: Site):
    """A part that cannot pay is left for the dream itself, which cannot either; the message names the ceiling."""
    budget = Budget(tokens=1_000_000)
    with site.machine("one") as home:
        run = DreamRun.start(home, request(budget=budget))
        run.fail(DreamError("only to learn its id"))
        purse = home.purse(run.dream.dream_id, budget)
        purse.settle(purse.reserve(999_999, 0.0, "spent before"), 999_999, 0.0)
        with pytest.raises(BudgetError, match="may use 1,000,000 tokens"):
            dream_over(home, request(budget=budget), elsewhere=by_machines(site, "two"))


def test_a_part_that_waits_for_a_budget_keeps_one_client(site: Site):
    """It tries again each second: a client with connections of its own for each try would be left open until the end."""
    budget = Budget(tokens=1_000_000)
    with site.machine("one") as home:
        run = DreamRun.start(home, request(budget=budget))
        run.mine()
        run.recall()
        run.part_out(SIZE)
        purse = home.purse(run.dream.dream_id, budget)
        others = purse.reserve(999_999, 0.0, "a call of another worker")
        with site.machine("two") as machine, ThreadPoolExecutor(1) as pool:
            name = run.dream.dream_id
            part = pool.submit(carry_out_part, machine, name, 1, 0, told=lambda _done, _count: None)
            while not machine._kept:  # pyright: ignore[reportPrivateUsage]
                time.sleep(0.01)
            time.sleep(1.5)  # it tries again; its balance is another then, so it goes on waiting
            purse.refund(others)
            assert part.result().read == SIZE
            assert len(machine._kept) == 1  # pyright: ignore[reportPrivateUsage]
        run.fail(DreamError("enough"))


KILLED = """
import sys
from agentflows.dreaming import carry_out_part
from agentflows.home import open_home
with open_home() as home:
    carry_out_part(home, sys.argv[1], int(sys.argv[2]), 0, told=print)
"""


def test_a_worker_killed_in_the_middle_leaves_what_it_read(site: Site):
    """Whoever takes the part next reads the rest, and asks nobody twice."""

    def elsewhere(run: DreamRun) -> None:
        numbers = run.part_out(SIZE)
        variables = {
            "AGENTFLOWS_HOME": str(site.folder / "dying"),
            "AGENTFLOWS_STATE_URL": site.shared["state_url"],
            "AGENTFLOWS_ARCHIVE_URL": site.shared["archive_url"],
            "ANTHROPIC_BASE_URL": site.fake.url,
            "ANTHROPIC_API_KEY": site.fake.api_key,
            "AGENTFLOWS_BATCH_SESSIONS": "4",
            "AGENTFLOWS_FAILPOINT": "part.batch.2:kill",
        }
        done = subprocess.run(
            [sys.executable, "-c", KILLED, run.dream.dream_id, "2"], env=os.environ | variables, check=False
        )
        assert done.returncode == -signal.SIGKILL
        assert run.parts_ended({2: 0}) == {}
        assert not run.is_held(2)
        with site.machine("two") as machine:
            read = [
                carry_out_part(machine, run.dream.dream_id, number, 0, told=lambda _done, _count: None).read
                for number in numbers
            ]
        assert read == [10, 6, 10, 3]
        run.take_in(list(run.parts_ended(dict.fromkeys(numbers, 0)).values()))

    with site.machine("one") as home:
        report = dream_over(home, request(), elsewhere=elsewhere)
    assert report.coverage.read == 33
    assert set(asked(site.fake).values()) == {1}


def test_a_dream_begun_again_has_the_same_parts(site: Site):
    """A run that is still at work on one is found by its number, though others were read meanwhile."""
    with site.machine("one") as home:
        run = DreamRun.start(home, request())
        run.mine()
        run.recall()
        assert run.part_out(SIZE) == [1, 2, 3, 4]
        carry_out_part(home, run.dream.dream_id, 2, 0, told=lambda _done, _count: None)
        run.fail(DreamError("killed"))
        run = DreamRun.start(home, request())
        run.mine()
        assert run.recall() == 23
        assert run.part_out(7) == [1, 3, 4]
        assert [run.part_size(number) for number in (1, 3, 4)] == [10, 10, 3]
        run.fail(DreamError("enough"))


def test_two_never_work_on_one_part(site: Site):
    """The second waits, and finds everything read."""
    with site.machine("one") as home, site.machine("two") as two, site.machine("three") as three:
        run = DreamRun.start(home, request())
        run.mine()
        run.recall()
        run.part_out(SIZE)
        with ThreadPoolExecutor(2) as pool:

            def carry(machine: Home) -> int:
                return carry_out_part(machine, run.dream.dream_id, 1, 0, told=lambda _done, _count: None).read

            read = sorted(pool.map(carry, (two, three)))
        assert read == [0, 10]
        run.fail(DreamError("enough"))


def test_a_session_whose_reply_is_unusable_is_named_and_the_others_are_read(site: Site):
    """As when the dream reads it itself."""
    seen: list[str] = []

    def script(one: FakeRequest) -> object:
        if kind_of(one) == "observations" and (not seen or one.last_text == seen[0]):
            seen.append(one.last_text)
            return Reply.refusal()
        return answer(one)

    site.fake.script(script)  # pyright: ignore[reportArgumentType]
    with site.machine("one") as home:
        report = dream_over(home, request(), elsewhere=by_machines(site, "two"))
    assert (report.coverage.read, report.coverage.failed, len(report.coverage.failures)) == (32, 1, 1)


def test_what_ends_the_reading_of_a_part_ends_the_dream(site: Site):
    """The endpoint is gone: the error is of the same kind, and says where it came from."""
    site.fake.script(lambda one: Reply.error(401) if kind_of(one) == "observations" else answer(one))
    with site.machine("one") as home, pytest.raises(EndpointError, match=r"in part \d of the sessions"):
        dream_over(home, request(), elsewhere=by_machines(site, "two"))


def test_a_worker_that_shares_no_state_says_what_it_needs(site: Site, tmp_path: Path):
    """It would otherwise read nothing, in silence."""
    with (
        open_home(tmp_path / "stranger") as stranger,
        pytest.raises(DreamError, match="AGENTFLOWS_STATE_URL"),
    ):
        carry_out_part(stranger, "drm_0", 1, 0, told=lambda _done, _count: None)


def test_a_worker_without_a_key_says_so(site: Site):
    """The dream was to be read by a model, and is not read by rules instead."""
    with site.machine("one") as home, pytest.raises(SettingsError, match="ANTHROPIC_API_KEY"):
        dream_over(home, request(), elsewhere=by_machines(site, "two", base_url="", api_key=""))
