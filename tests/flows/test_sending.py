"""What is sent to the work pool outlives a Prefect server that is away for a while, and a run that never ends by itself."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelling, Pending, Running, Scheduled

from agentflows.errors import DreamError, OrchestrationError, ServerError
from agentflows.home import open_home
from agentflows.project import load_helper, load_module
from agentflows.sending import SERVER_SECONDS
from agentflows.team import Orchestration, SubTask, ThreadTurn
from tests.conftest import ROOT
from tests.free_port import free_port

pytestmark = pytest.mark.prefect


@pytest.fixture
def script() -> Any:
    return load_helper("_sending", ROOT)


@contextmanager
def away() -> Generator[None]:
    """A server that is not there: nobody listens on its port."""
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere, PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


@flow
def nothing() -> None:
    """A flow, for runs of it."""


def said() -> tuple[list[str], Callable[[str], None]]:
    lines: list[str] = []
    return lines, lines.append


def test_a_server_that_is_away_is_waited_for_and_not_for_ever(script: Any):
    """An upgrade of the server takes a minute: to give up a turn that a worker does meanwhile would pay it twice."""
    lines, told = said()
    now = [0.0]
    with away(), get_client(sync_client=True) as client:
        post = script.Post(client, "a/b", DreamError, told, lambda: now[0])
        assert post.states([uuid4()]) is None
        assert post.send({}, key="k", name="n") is None
        post.tell(uuid4(), Cancelling())
        now[0] = SERVER_SECONDS
        with pytest.raises(ServerError, match=r"did not answer for 10 minutes .*run the same command again"):
            post.states([uuid4()])
    assert "Prefect's server does not answer" in lines[0]
    assert "could not be called Cancelling" in lines[1]
    assert len(lines) == 2, "said once, not with each look"


def test_an_answer_that_says_no_is_no_silence(script: Any):
    """Whoever waits ten minutes for a deployment that is not there is kept from deploying it."""
    _, told = said()
    with get_client(sync_client=True) as client:
        post = script.Post(client, "no/such", OrchestrationError, told)
        with pytest.raises(
            OrchestrationError, match=r"n cannot be sent: .*'no/such' was not found .*prefect deploy --all"
        ):
            post.send({}, key="k", name="n")


def test_a_run_that_was_deleted_is_seen_to_be_gone(script: Any):
    """It is not among the answers: only the lease tells then whether somebody works on it."""
    _, told = said()
    with get_client(sync_client=True) as client:
        post = script.Post(client, "a/b", DreamError, told)
        kept, gone = (client.create_flow_run(nothing).id for _ in range(2))
        client.delete_flow_run(gone)
        assert list(post.states([kept, gone])) == [kept]
        assert post.states([]) == {}
        client.delete_flow_run(kept)


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (None, "running"),
        (Running(), "running"),
        (Cancelling(), "running"),
        (Pending(), "claimed"),
        (Scheduled(), "waiting"),
    ],
)
def test_a_run_that_is_cancelled_or_deleted_does_not_wait(script: Any, state: State | None, stage: str):
    """Its worker may be dead: called waiting, it would be waited for without end."""
    assert script.stage_of(state) == stage


def test_a_turn_outlives_a_server_that_is_away_when_it_is_sent(script: Any, tmp_path: Any):
    """It would be recorded as failed for ever, and the job be paid anew."""
    orchestrate = load_module("orchestrate", ROOT)
    turn = ThreadTurn(
        job_id="job_1", thread_id="a-1", number=0, order=SubTask(subtask_id="a", agent="a", task="t")
    )
    done = turn.model_copy(update={"status": "ended", "ending": "succeeded"})
    answers = iter([None, done])
    lines, told = said()

    def come_home(_: ThreadTurn) -> ThreadTurn | None:
        return next(answers)

    with open_home(tmp_path) as home, away(), get_client(sync_client=True) as client:
        run: Any = SimpleNamespace(home=home, offer=repr, brought_home=come_home, stop=str)
        work: Any = SimpleNamespace(run=run, home="")
        post = script.Post(client, orchestrate.TURN, OrchestrationError, told)
        assert orchestrate.Sent(work, turn, post).to_its_end() == done
    assert len(lines) == 1


def test_a_server_that_stays_away_stops_the_job_and_fails_no_turn(script: Any, tmp_path: Any):
    """So the same command goes on when it is there again."""
    orchestrate = load_module("orchestrate", ROOT)
    turn = ThreadTurn(
        job_id="job_1", thread_id="a-1", number=0, order=SubTask(subtask_id="a", agent="a", task="t")
    )
    _, told = said()
    with open_home(tmp_path) as home, away(), get_client(sync_client=True) as client:
        job = Orchestration(
            job_id="job_1", title="t", task="t", team="t", workspace=str(tmp_path), mode="plan"
        )
        home.state.begin_job(job, base_id="b", request="{}")
        run: Any = SimpleNamespace(home=home, offer=repr, brought_home=none, stop=str)
        work: Any = SimpleNamespace(run=run, home="")
        now = iter([0.0, SERVER_SECONDS])
        post = script.Post(client, orchestrate.TURN, OrchestrationError, told, lambda: next(now))
        left = orchestrate.Sent(work, turn, post).to_its_end()
        assert (left.status, left.ending) == ("queued", None)
        assert "did not answer for 10 minutes" in home.state.job_stop("job_1")


def none(_: ThreadTurn) -> None:
    """Nothing came home."""
