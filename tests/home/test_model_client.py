"""The home's model client: one for all threads of an engine."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agentflows.change import Budget
from agentflows.home import open_home
from agentflows.testing import FakeMessagesAPI, FakeRequest, sample_sessions


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
