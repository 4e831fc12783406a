"""Control groups: made for a command, gone after it, and swept up after a killed process."""

import subprocess

import pytest

from agentflows.sandbox.groups import Groups, find_groups


@pytest.fixture(scope="module")
def groups() -> Groups:
    """Where this process can make some."""
    found = find_groups()
    if found.processes is None:
        pytest.skip("this process may not make control groups: see `agentflows doctor`")
    return found


def test_a_group_limits_and_goes(groups: Groups):
    """Its numbers are the kernel's, not only ours."""
    group = groups.make(processes=10, memory_bytes=64 << 20)
    limits = [
        folder / name
        for folder in group.folders
        for name in ("pids.max", "memory.max", "memory.limit_in_bytes")
    ]
    assert {int(file.read_text()) for file in limits if file.exists()} <= {14, 64 << 20}
    assert not group.ran_out_of_memory
    group.remove()
    assert not any(folder.exists() for folder in group.folders)
    group.remove()


def test_what_a_killed_process_left_is_swept_up_and_nothing_else(groups: Groups):
    """Groups of processes that live belong to them."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert groups.processes
    left = groups.processes / f"agentflows-{gone.pid}-0"
    left.mkdir()
    mine = groups.make(processes=1, memory_bytes=64 << 20)
    groups.sweep()
    assert not left.exists()
    assert all(folder.exists() for folder in mine.folders)
    mine.remove()


def test_where_none_can_be_made_there_are_none():
    """An ordinary process in a container."""
    assert Groups(None, None).make(processes=1, memory_bytes=1 << 30).folders == ()
    Groups(None, None).sweep()
