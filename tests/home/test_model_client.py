"""The home's model client: one for all threads of an engine."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition, Job
from agentflows.change import Budget
from agentflows.errors import EndpointError
from agentflows.home import open_home
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, sample_sessions


def test_threads_that_start_an_engine_together_share_one_client(tmp_path: Path):
    """Every client has its own limit of calls at once; eight of them would allow eight times as many."""
    under_way: list[int] = []
    seen: list[int] = []
    lock = threading.Lock()

    def script(request: FakeRequest) -> dict[str, Any]:
        with lock:
            under_way.append(request.number)
            seen.append(len(under_way))
        time.sleep(0.05)
        with lock:
            under_way.remove(request.number)
        return {"observations": [], "suspicious": []}

    with (
        FakeMessagesAPI().script(script) as fake,
        open_home(tmp_path, base_url=fake.url, api_key=fake.api_key, concurrency=2) as home,
    ):
        engine, _ = home.engine("claude", lambda: home.purse("drm_1", Budget()))
        with ThreadPoolExecutor(8) as pool:
            for job in [pool.submit(engine.extract, session, []) for session in sample_sessions(12)]:
                job.result()
    assert len(seen) == 12
    assert max(seen) <= 2, max(seen)


AGENT = AgentDefinition(name="writer", prompt="You write.", tools=("read",))


def test_the_calls_of_all_agents_of_a_home_count_together_where_somebody_chose_how_many(tmp_path: Path):
    """A server of one's own that takes one call at a time: each agent has a client, and all share one place."""
    inside, peak, lock = 0, 0, threading.Lock()

    def script(_: FakeRequest) -> Reply:
        nonlocal inside, peak
        with lock:
            inside += 1
            peak = max(peak, inside)
        time.sleep(0.05)
        with lock:
            inside -= 1
        return Reply.text("Done.")

    with (
        FakeMessagesAPI().script(script) as fake,
        open_home(tmp_path / "home", base_url=fake.url, api_key=fake.api_key, concurrency=1) as home,
    ):

        def work(number: int) -> str:
            folder = tmp_path / str(number)
            folder.mkdir()
            runner = home.runner(AGENT, home.purse(f"drm_{number}", Budget()))
            return runner.run(AGENT, Job(job_id=f"job_{number}", task="Write.", workspace=folder)).end

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(work, range(6))) == ["finished"] * 6
    assert peak == 1


def test_the_clients_of_a_home_leave_a_dead_endpoint_alone_together(tmp_path: Path):
    """Each agent and each grading has a client: each alone would find out for itself, with all its attempts."""
    with (
        FakeMessagesAPI().script(lambda _: Reply.error(500, should_retry=False)) as fake,
        open_home(tmp_path / "home", base_url=fake.url, api_key=fake.api_key) as home,
    ):
        kinds: list[str] = []
        for number in range(6):
            runner = home.runner(AGENT, home.purse(f"drm_{number}", Budget()))
            with pytest.raises(EndpointError) as caught:
                runner.run(AGENT, Job(job_id=f"job_{number}", task="Write.", workspace=tmp_path))
            kinds.append(caught.value.kind)
    assert kinds == ["server_error"] * 5 + ["circuit_open"]
    assert len(fake.requests) == 5
