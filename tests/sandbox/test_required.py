"""A sandbox that cannot be built stops the work; one that is switched off says so on every run."""

import os
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

from agentflows.errors import SandboxError, UsageError
from agentflows.sandbox import Sandbox, probe
from agentflows.sandbox.ability import Ability
from agentflows.sandbox.groups import Groups
from tests.conftest import ROOT
from tests.sandbox.conftest import Host

NESTED = """
from pathlib import Path
from agentflows.errors import SandboxError
from agentflows.sandbox import Sandbox, probe
try:
    Sandbox(Path(".")).run("touch was-run")
except SandboxError as error:
    print(error)
print(probe().usable, Path("was-run").exists())
print(Sandbox(Path("."), mode="off").run("echo ran anyway"))
"""


@pytest.mark.usefixtures("sandbox_here")
def test_where_none_can_be_built_nothing_runs(host: Host):
    """Inside a sandbox no second one can be built: the refusal says why and what to do, and no command ran."""
    packages = Path(pydantic.__file__).parents[1]
    box = host.sandbox(extra_read_only={"/packages": packages, "/source": ROOT / "src"})
    run = box.run('PYTHONPATH=/source:/packages "$PY" -', stdin=NESTED.encode())
    refusal, nested, off = run.output.strip().split("\n")
    assert "Commands need a sandbox, and there is none here: bwrap cannot build a sandbox here" in refusal
    assert "AGENTFLOWS_SANDBOX=off" in refusal
    assert nested == "False False"
    assert "sandboxed=False" in off
    assert "ran anyway" in off


def test_a_machine_without_bubblewrap_is_told_how_to_get_it():
    """The first thing a new user may see."""
    able = Ability(
        bwrap="",
        version="",
        groups=Groups(None, None),
        is_root=False,
        problems=("bubblewrap (bwrap) is not installed.",),
        advice=("Install bubblewrap 0.8 or newer.",),
    )
    assert able.process_limit == "none"
    assert "is not installed. Install bubblewrap" in able.refusal
    assert "\n" not in able.refusal


def test_a_broken_wall_is_an_error_and_no_run(host: Host, sandbox_here: None):
    """A mount that went away between making the sandbox and running a command is nobody's exit code."""
    gone = host.outside / "gone"
    gone.mkdir()
    box = host.sandbox(extra_read_only={"/memory": gone})
    gone.rmdir()
    with pytest.raises(SandboxError, match="could not be built, and nothing was run"):
        box.run("touch was-run")
    assert not (host.workspace / "was-run").exists()


def test_off_keeps_environment_deadline_and_limits(host: Host):
    """Without walls, what can be kept is kept."""
    box = Sandbox(host.workspace, mode="off")
    run = box.run("env; exit 4")
    assert (run.sandboxed, run.exit_code) == (False, 4)
    names = {line.partition("=")[0] for line in run.output.splitlines()}
    assert names <= {"PATH", "HOME", "LANG", "TERM", "PWD", "SHLVL", "_", "OLDPWD"}
    assert box.run("sleep 30", timeout_seconds=0.3).reason == "timeout"
    assert box.run("yes").reason == "output_limit"
    assert box.run("ulimit -c").output == "0\n"


@pytest.mark.usefixtures("sandbox_here")
def test_nothing_of_this_environment_goes_in(host: Host, monkeypatch: pytest.MonkeyPatch):
    """Built from nothing: what is not given is not there, in no process that a command can see."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    monkeypatch.setenv("GITHUB_TOKEN", "canary-token")
    run = host.sandbox().run("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert "canary" not in run.output
    given = set(host.variables) | {"PY", "PATH", "HOME", "LANG", "TERM", "PWD", "SHLVL", "_", "OLDPWD"}
    assert {line.partition("=")[0] for line in run.output.splitlines()} <= given
    assert not set(os.environ) & ({line.partition("=")[0] for line in run.output.splitlines()} - given)


def test_given_variables_are_not_on_a_command_line(host: Host, sandbox_here: None):
    """What everybody on the machine can list holds no value that was given in confidence."""
    box = Sandbox(host.workspace, env={"DATABASE": "confidential-value"})
    code = "import time; time.sleep(0.3); import glob; print(sum(b'confidential' + b'-value' in open(f, 'rb').read() for f in glob.glob('/proc/[0-9]*/cmdline')))"
    watcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    run = box.run("sleep 1; printenv DATABASE")
    assert watcher.communicate(timeout=60)[0] == "0\n"
    assert run.output == "confidential-value\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"env": {"ANTHROPIC_API_KEY": "sk"}}, "must not go into a sandbox"),
        ({"env": {"A=B": "x"}}, "cannot be set"),
        ({"env": {"A": "x\0y"}}, "cannot be set"),
        ({"extra_read_only": {"memory": Path("/usr")}}, "absolute path"),
        ({"extra_read_only": {"/usr/x": Path("/usr")}}, "Nothing can be mounted"),
        ({"extra_read_only": {"/workspace/x": Path("/usr")}}, "Nothing can be mounted"),
        ({"extra_read_only": {"/a/../etc": Path("/usr")}}, "Nothing can be mounted"),
        ({"extra_read_only": {"/memory": Path("/no/such/folder")}}, "does not exist"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_at_once(tmp_path: Path, options: dict[str, object], message: str):
    """Before anything runs, and with what to do."""
    with pytest.raises(UsageError, match=message):
        Sandbox(tmp_path, **options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("workspace", ["/", "/no/such/folder", "/bin/bash"])
def test_a_workspace_is_a_folder_and_not_everything(workspace: str):
    """`/` as a workspace would be no sandbox."""
    with pytest.raises(UsageError, match="needs a folder"):
        Sandbox(Path(workspace))


@pytest.mark.parametrize("command", ["", [], ["", "x"], "a\0b", "x" * 200_000])
def test_a_command_that_cannot_be_is_refused(tmp_path: Path, command: str | list[str]):
    """The kernel's own words for these would help nobody."""
    with pytest.raises(UsageError):
        Sandbox(tmp_path).run(command)


@pytest.mark.parametrize("cwd", ["/", "..", "a/../../b", "a\0b"])
def test_a_folder_outside_is_refused(tmp_path: Path, cwd: str):
    """With walls and without."""
    for mode in ("required", "off"):
        with pytest.raises(UsageError, match="below the workspace"):
            Sandbox(tmp_path, mode=mode).run("true", cwd=cwd)


@pytest.mark.usefixtures("sandbox_here")
def test_the_probe_says_what_holds_here():
    """What doctor prints was tried."""
    report = probe()
    assert report.usable
    assert report.is_network_cut
    assert report.process_limit in {"cgroup", "rlimit", "watched"}
    assert bool(report.warnings) == (
        report.process_limit == "watched"
        or not report.has_memory_group
        or not report.has_filter
        or not report.has_openat2
    )
