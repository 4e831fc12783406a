"""Several processes on one database: no lost update, no overspent budget, one holder of a lease."""

from agentflows.store import State
from tests.store import workers
from tests.store.samples import ADA, put

PROCESSES = 4
EACH = 15


def test_no_update_is_lost_among_concurrent_commits(url: str):
    """Each process adds one, many times; conflicts are seen and tried again; the sum is exact."""
    with State(url) as state:
        state.create_store("team", actor=ADA)
        put(state, "team", {"/count.md": "0"})
    running = [workers.start(workers.count_up, url, "team", "/count.md", EACH) for _ in range(PROCESSES)]
    assert [workers.finish(worker) for worker in running] == [0] * PROCESSES
    with State(url) as state:
        found = int(state.files("team")["/count.md"])
        print(f"RACE tried={PROCESSES * EACH} lost={PROCESSES * EACH - found}")  # noqa: T201 - the figure
        assert found == PROCESSES * EACH
        assert state.verify("team") == PROCESSES * EACH + 2


def test_processes_together_never_spend_more_than_the_ceiling(url: str):
    """A thousand tokens are a hundred calls of ten, whoever makes them."""
    State(url).close()
    results = workers.CONTEXT.SimpleQueue()
    running = [workers.start(workers.spend, url, "dream:drm_1", 60, results) for _ in range(PROCESSES)]
    made = sum(results.get() for _ in running)
    assert [workers.finish(worker) for worker in running] == [0] * PROCESSES
    with State(url) as state:
        balance = state.balance("dream:drm_1")
    print(f"BUDGET tried={PROCESSES * 60} over={max(0, balance.tokens - 1000)}")  # noqa: T201 - the figure
    assert (made, balance.calls, balance.tokens, balance.reserved_tokens) == (100, 100, 1000, 0)


def test_processes_that_open_a_new_database_at_once_all_succeed(url: str):
    """Prefect starts several flows at once on a fresh machine."""
    running = [workers.start(workers.open_state, url) for _ in range(PROCESSES)]
    assert [workers.finish(worker) for worker in running] == [0] * PROCESSES
    with State(url) as state:
        assert state.list_stores() == []


def test_one_process_gets_the_lease(url: str):
    """Two dreams that write into one store cannot run at once."""
    State(url).close()
    results = workers.CONTEXT.SimpleQueue()
    names = [f"worker {number}" for number in range(PROCESSES)]
    running = [workers.start(workers.take_lease, url, "store:team", name, results) for name in names]
    tokens = [results.get() for _ in running]
    assert [workers.finish(worker) for worker in running] == [0] * PROCESSES
    assert sorted(tokens, key=str) == [1, None, None, None]
