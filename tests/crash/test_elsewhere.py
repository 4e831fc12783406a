"""Workers that share no folder die at every point of a turn, and so does whoever leads: no turn lost, none repeated."""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentflows.orchestrating import JobRun
from agentflows.team import Orchestration, ThreadTurn
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.crash import elsewhere, workers
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["s3", "s3_server"]

WORKER_POINTS = (
    "turn.begun",
    "turn.staged",
    "turn.ran",
    "turn.archived",
    "turn.frozen",
    "turn.ended",
    "turn.left",
)
LEADER_POINTS = (
    "job.begun",
    "thread.opened",
    "message.posted",
    "turn.offered",
    "turn.merged",
    "turn.recorded",
    "job.ended",
)


def some_or_all(points: Sequence[str]) -> pytest.MarkDecorator:
    """Every third point, and in the long form all of them."""
    return pytest.mark.parametrize(
        "points",
        [pytest.param(points[::3], id="some"), pytest.param(points, id="all", marks=pytest.mark.slow)],
    )


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(elsewhere.answer) as api:
        yield api


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.slow)])
def staging(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Through which files travel."""
    if request.param == "file":
        return f"file://{tmp_path}/staging"
    server: S3Server = request.getfixturevalue("s3")
    return f"{server.new_bucket()}/staging"


def store() -> dict[str, str]:
    """What another process needs to find the object store."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def pages(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (folder / "workspace").glob("*.md")}


def asked(fake: FakeMessagesAPI) -> dict[str, int]:
    """Requests for each page."""
    found = [elsewhere.name(request) for request in fake.requests]
    return {name: found.count(name) for name in found}


def check(job: Orchestration, folder: Path, names: list[str]) -> None:
    assert job.status == "succeeded"
    assert [(turn.order.subtask_id, turn.number, turn.ending) for turn in job.turns] == [
        (name, 0, "succeeded") for name in names
    ]
    assert pages(folder) == dict.fromkeys(names, "first, second")
    assert not any(change.is_kept_aside for turn in job.turns for change in turn.changes)


@some_or_all(WORKER_POINTS)
def test_a_worker_may_die_at_any_point_and_another_machine_goes_on(
    tmp_path: Path, staging: str, fake: FakeMessagesAPI, points: Sequence[str]
):
    """Its disk is lost with it. Every reply that was heard is paid once."""
    site = elsewhere.machines(tmp_path, staging, fake.url)
    died: list[str] = []

    def work(_: JobRun, turn: ThreadTurn) -> None:
        point, machine = turn.order.subtask_id, f"lost-{len(died)}"
        given = (tmp_path, staging, fake.url, machine, elsewhere.place(turn))
        code = workers.finish(
            workers.start(elsewhere.carry, *given, **store(), **{workers.VARIABLE: f"{point}:kill"})
        )
        died.extend([point] if code == workers.KILLED else [])
        shutil.rmtree(tmp_path / f"home-{machine}", ignore_errors=True)
        elsewhere.carry(tmp_path, staging, fake.url, "another", elsewhere.place(turn))

    job = elsewhere.lead(site, list(points), work)
    assert died == list(points)
    check(job, tmp_path, list(points))
    repeated = {name: count - elsewhere.REPLIES for name, count in asked(fake).items()}
    print(f"ELSEWHERE_KILLS who=worker tried={len(died)} lost=0 replies_again={sum(repeated.values())}")  # noqa: T201
    assert set(repeated.values()) == {0}


@pytest.mark.slow
def test_a_worker_may_die_while_a_reply_is_on_its_way(tmp_path: Path, staging: str, fake: FakeMessagesAPI):
    """The first, the second or the last: only that one is asked again, and the page has both parts once."""
    site = elsewhere.machines(tmp_path, staging, fake.url)
    running: list[Any] = []
    numbers = itertools.count()
    names = [f"reply-{number}" for number in range(elsewhere.REPLIES)]
    done: set[str] = set()

    def deadly(request: FakeRequest) -> Any:
        name = elsewhere.name(request)
        number = sum(message["role"] == "assistant" for message in request.body["messages"])
        if name == f"reply-{number}" and name not in done:
            done.add(name)
            os.kill(running[-1].pid, signal.SIGKILL)
        return elsewhere.answer(request)

    def work(_: JobRun, turn: ThreadTurn) -> None:
        code = workers.KILLED
        while code == workers.KILLED:
            machine = f"m{next(numbers)}"
            given = (tmp_path, staging, fake.url, machine, elsewhere.place(turn))
            running.append(workers.start(elsewhere.carry, *given, **store()))
            code = workers.finish(running[-1])
            if code == workers.KILLED:
                shutil.rmtree(tmp_path / f"home-{machine}", ignore_errors=True)

    fake.script(deadly)
    job = elsewhere.lead(site, names, work)
    check(job, tmp_path, names)
    print(f"ELSEWHERE_CALL_KILLS tried={len(done)} lost=0 replies_again={len(fake.requests) - 9}")  # noqa: T201
    assert asked(fake) == dict.fromkeys(names, elsewhere.REPLIES + 1)


@some_or_all(LEADER_POINTS)
def test_whoever_leads_may_die_at_any_point(
    tmp_path: Path, staging: str, fake: FakeMessagesAPI, points: Sequence[str]
):
    """What workers did meanwhile waits for the next who leads; nothing is merged twice."""
    names = ["one", "two", "three"]
    given = (tmp_path, staging, fake.url, names)
    died: list[str] = []
    for point in points:
        code = workers.finish(
            workers.start(elsewhere.lead_alone, *given, **store(), **{workers.VARIABLE: f"{point}:kill"})
        )
        assert code in {workers.KILLED, 0}
        died += [point] if code == workers.KILLED else []
    job = elsewhere.lead(elsewhere.machines(tmp_path, staging, fake.url), names)
    assert died == list(points)
    check(job, tmp_path, names)
    print(f"ELSEWHERE_KILLS who=leader tried={len(died)} lost=0 replies_again={len(fake.requests) - 9}")  # noqa: T201
    assert asked(fake) == dict.fromkeys(names, elsewhere.REPLIES)
