"""Every command ends, within its limits, and nothing of it lives on: the figure SANDBOX_ORPHANS."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentflows.sandbox import Limits, Sandbox
from agentflows.sandbox.ability import ability
from agentflows.sandbox.groups import Groups
from agentflows.sandbox.sandbox import _Call  # pyright: ignore[reportPrivateUsage]
from tests.conftest import ROOT
from tests.sandbox.conftest import Host

pytestmark = pytest.mark.usefixtures("sandbox_here")
MARK = "agentflows_mark"
SURVIVORS = {
    "in the background": "sleep 77.{mark} & echo started",
    "in a session of its own": "setsid nohup sleep 77.{mark} >/dev/null 2>&1 & echo started; sleep 0.05",
    "twice forked": "(setsid bash -c 'sleep 77.{mark} & disown' &) ; echo started; sleep 0.05",
    "holding the output": "sleep 77.{mark} 1>&2 & echo started",
    "ignoring signals": "trap '' TERM INT HUP QUIT; sleep 77.{mark} & echo started; exit 0",
    "past the deadline": "echo started; sleep 77.{mark}",
    "past the deadline, with the output closed": "echo started; exec >&- 2>&-; sleep 77.{mark}",
    "past the deadline, with a crowd": "echo started; for i in 1 2 3 4 5 6 7 8; do setsid sleep 77.{mark} & done; wait",
    "past the output": "setsid sleep 77.{mark} & echo started; yes",
    "killed by itself": "sleep 77.{mark} & echo started; kill -9 $$",
    "killing all it can": "setsid sleep 77.{mark} & echo started; kill -9 -1",
}


def _alive(mark: str) -> list[str]:
    """Processes of this machine, in any namespace, whose arguments hold `mark`."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"77.{mark}".encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_no_process_outlives_its_call(host: Host, capsys: pytest.CaptureFixture[str]):
    """Whatever it does to survive, it is gone when the call returns."""
    orphans: dict[str, list[str]] = {}
    for name, script in SURVIVORS.items():
        for seconds in (0.6, 6, 60):  # a machine that is busy takes longer to begin
            mark = str(uuid.uuid4().int)[:12]
            run = host.sandbox(limits=Limits(seconds=seconds)).run(script.format(mark=mark))
            if "started" in run.output:
                break
        assert "started" in run.output, (name, run)
        if left := _alive(mark):
            orphans[name] = left
    with capsys.disabled():
        print(f"\nSANDBOX_ORPHANS tried={len(SURVIVORS)} bad={len(orphans)}")  # noqa: T201 - the figure
    assert orphans == {}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_supervisor_takes_its_sandbox_along(tmp_path: Path, number: signal.Signals):
    """However the program that runs agents ends, no agent stays behind."""
    mark = str(uuid.uuid4().int)[:12]
    code = f"from pathlib import Path; from agentflows.sandbox import Sandbox; Sandbox(Path({str(tmp_path)!r})).run('touch up; setsid sleep 77.{mark} & sleep 77.{mark}')"
    supervisor = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "up").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert len(_alive(mark)) >= 2
    finally:
        supervisor.send_signal(number)
        supervisor.wait(120)
    until = time.monotonic() + 60
    while _alive(mark) and time.monotonic() < until:
        time.sleep(0.01)
    assert _alive(mark) == []


@pytest.mark.parametrize(
    ("script", "reason", "exit_code"),
    [
        ("exit 0", "exited", 0),
        ("exit 3", "exited", 3),
        ("no-such-program", "exited", 127),
        ("kill -TERM $$", "signal", 143),
        ("kill -9 $$", "signal", 137),
        ("sleep 30", "timeout", None),
        ("exec >&- 2>&-; sleep 30", "timeout", None),
        ("trap '' TERM; while :; do :; done", "timeout", None),
        ("yes", "output_limit", None),
        ("cat /dev/zero", "output_limit", None),
    ],
)
def test_the_end_of_a_command_is_named(host: Host, script: str, reason: str, exit_code: int | None):
    """An agent can tell a failure from a limit."""
    run = host.sandbox().run(script, timeout_seconds=0.7)
    assert (run.reason, run.exit_code) == (reason, exit_code)
    assert run.is_success == (script == "exit 0")


def test_what_is_no_longer_wanted_is_stopped(host: Host):
    """A person who interrupts a job does not wait for its command."""
    asked: list[int] = []

    def is_enough() -> bool:
        asked.append(1)
        return len(asked) == 3

    for box in (host.sandbox(), host.without_walls()):
        asked.clear()
        run = box.run("echo begun; sleep 30", stop=is_enough)
        assert (run.reason, run.exit_code, run.output) == ("stopped", None, "begun\n")
    assert host.sandbox().run("sleep 0.2; echo done", stop=lambda: False).output == "done\n"


def test_long_output_keeps_both_ends_and_says_what_is_missing(host: Host):
    """The first error and the summary at the end are what a reader needs; nothing is cut silently."""
    run = host.sandbox(limits=Limits(output_bytes=1000)).run("echo FIRST; seq 100000; echo LAST")
    assert run.truncated
    assert run.output.startswith("FIRST\n")
    assert run.output.endswith("LAST\n")
    assert "[... 587906 bytes left out ...]" in run.output
    assert len(run.output) < 1100


def test_output_within_the_bound_is_whole(host: Host):
    """Nor is anything cut that need not be."""
    run = host.sandbox(limits=Limits(output_bytes=588_907)).run("echo FIRST; seq 100000; echo LAST")
    assert not run.truncated
    assert run.output == "FIRST\n" + "".join(f"{number}\n" for number in range(1, 100_001)) + "LAST\n"


def test_input_is_read_whole_or_not_at_all(host: Host):
    """A command that leaves its input unread ends as any other, and one that reads gets every byte."""
    box = host.sandbox()
    content = os.urandom(1 << 20)
    assert box.run("wc -c", stdin=content).output.strip() == str(len(content))
    assert box.run("echo done", stdin=content).output == "done\n"
    assert box.run("cat").output == ""
    assert box.run("sleep 30", stdin=content, timeout_seconds=0.5).reason == "timeout"


def test_a_broken_byte_in_the_output_is_replaced(host: Host):
    """Output is text, whatever a command writes."""
    assert host.sandbox().run(r"printf 'a\xffb'").output == "a�b"


def test_memory_beyond_the_limit_is_not_had(host: Host):
    """Two gigabytes are asked for and used; the host keeps them."""
    run = host.sandbox(limits=Limits(memory_bytes=256 << 20)).run(
        '"$PY" -c "held = bytearray(2 << 30); print(len(held))"'
    )
    assert "2147483648" not in run.output
    assert not run.is_success


def test_files_and_private_folders_have_a_size(host: Host):
    """Neither a file of the workspace nor /tmp and /dev/shm fill the disk or the memory."""
    script = "exec 2>/dev/null; for f in /workspace/f /tmp/f /dev/shm/f; do head -c 8M /dev/zero > $f; stat -c %s $f; done"
    sizes = host.sandbox(limits=Limits(file_bytes=1 << 20)).run(script).output.split()
    assert len(sizes) == 3
    assert all(int(size) <= 1 << 20 for size in sizes)
    script = (
        "exec 2>/dev/null; for i in 1 2 3 4; do head -c 1M /dev/zero > /tmp/$i; done; du -sb /tmp | cut -f1"
    )
    assert int(host.sandbox(limits=Limits(file_bytes=2 << 20)).run(script).output) < 3 << 20


def test_processor_time_has_an_end(host: Host):
    """A busy loop ends by its own limit, before the deadline."""
    run = host.sandbox(limits=Limits(cpu_seconds=1)).run("while :; do :; done", timeout_seconds=60)
    assert run.reason == "signal"


def test_who_is_given_more_time_is_given_more_processor_time(host: Host):
    """A build of a quarter of an hour that works all the while needs both."""
    run = host.sandbox(limits=Limits(seconds=900)).run("ulimit -t")
    assert int(run.output) == 900 * len(os.sched_getaffinity(0))


def test_processes_are_counted(host: Host):
    """Bounded: at most 120 sleeping children that end by themselves. Root is no exception."""
    code = (
        "import os, time\nmade = 0\n"
        "for _ in range(120):\n"
        "    try:\n        child = os.fork()\n    except OSError:\n        break\n"
        "    if child == 0:\n        time.sleep(3)\n        os._exit(0)\n    made += 1\n"
        "print(made, flush=True)\ntime.sleep(0.3)"
    )
    run = host.sandbox(limits=Limits(processes=20)).run(["/py/bin/python3", "-c", code])
    assert run.reason == "process_limit" or int(run.output) <= 24


def test_where_nothing_else_binds_root_the_crowd_is_watched(host: Host):
    """Root without control groups: what RLIMIT_NPROC would not stop is seen and killed."""
    watched = dataclasses.replace(ability(), groups=Groups(None, None), is_root=True)
    assert watched.process_limit == "watched"
    box = host.sandbox(limits=Limits(processes=20))
    crowd = ["/bin/bash", "-c", "for i in $(seq 60); do sleep 3 & done 2>/dev/null; wait"]
    start = box._within  # pyright: ignore[reportPrivateUsage] - what this machine can do is given, not found
    run = start(watched, _Call(crowd, ".", None, 20))
    assert os.geteuid() != 0 or run.reason == "process_limit"
    few = ["/bin/bash", "-c", "for i in $(seq 10); do sleep 0.2 & done; wait; echo done"]
    assert start(watched, _Call(few, ".", None, 20)).output == "done\n"


def test_a_command_may_use_what_its_limits_allow(host: Host):
    """Limits that stop honest work would be switched off by their users."""
    script = 'for i in $(seq 30); do sleep 0.1 & done; wait; "$PY" -c "held = bytearray(200 << 20); print(len(held))"; head -c 20M /dev/zero > big; stat -c %s big'
    assert host.sandbox().run(script).output.split() == ["209715200", "20971520"]


def test_many_commands_at_once_do_not_disturb_each_other(host: Host):
    """A runner has several agents; each call stands alone."""
    box = host.sandbox()
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(box.run, [f"sleep 0.0{number % 5}; echo {number}" for number in range(40)]))
    assert [run.output for run in runs] == [f"{number}\n" for number in range(40)]


def test_no_descriptor_and_no_group_is_left(host: Host):
    """A server that runs for months cannot lose one per command."""
    box = host.sandbox()
    box.run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for script in ("true", "exit 1", "yes", "no-such-program"):
        box.run(script)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not list(Path("/sys/fs/cgroup").glob(f"**/agentflows-{os.getpid()}-*"))


def test_signals_of_a_sandbox_reach_nobody_else(host: Host):
    """`kill -9 -1` kills all it sees, which is itself."""
    host.sandbox().run("kill -9 -1")
    os.kill(host.bystander, 0)
    assert signal.SIGKILL not in signal.sigpending()


def test_a_folder_to_start_in_lies_below_the_workspace(host: Host):
    """Where a command starts is part of the call."""
    (host.workspace / "sub" / "deep").mkdir(parents=True)
    box = host.sandbox()
    assert box.run("pwd").output == "/workspace\n"
    assert box.run("pwd", cwd="sub/deep").output == "/workspace/sub/deep\n"
    assert Sandbox(host.workspace, mode="off").run("pwd", cwd="sub").output == f"{host.workspace}/sub\n"
