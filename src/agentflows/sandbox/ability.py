"""What this machine can do for a sandbox, found out by doing it: once per process for `run`, anew for `probe`."""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentflows.errors import SandboxError
from agentflows.sandbox import jail
from agentflows.sandbox.groups import Groups, find_groups
from agentflows.sandbox.seccomp import filter_program

ProcessLimit = Literal["cgroup", "rlimit", "watched", "none"]
"""What bounds the number of processes: a control group, RLIMIT_NPROC (not for root), or a look every 50 ms."""
_OLDEST = (0, 8, 0)
"""The first bubblewrap with `--disable-userns` and `--size`."""
_INSTALL = "Install bubblewrap 0.8 or newer (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)."
_OFF = "Or set AGENTFLOWS_SANDBOX=off to run commands without walls, where nothing untrusted is read."
_TRIAL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Ability:
    """What a sandbox can be built from here."""

    bwrap: str
    """The program's path, or ""."""
    version: str
    groups: Groups
    is_root: bool
    problems: tuple[str, ...]
    """Why there can be no sandbox; empty when there can."""
    advice: tuple[str, ...]
    """How to change that."""

    @property
    def process_limit(self) -> ProcessLimit:
        """What bounds the number of processes of a command."""
        if self.problems:
            return "none"
        if self.groups.processes:
            return "cgroup"
        return "watched" if self.is_root else "rlimit"

    @property
    def refusal(self) -> str:
        """One line for whoever wanted to run something."""
        return f"Commands need a sandbox, and there is none here: {' '.join(self.problems)} {' '.join(self.advice)}"


@functools.cache
def ability() -> Ability:
    """What this machine can do, found out at the first call of this process."""
    return find_ability()


def find_ability() -> Ability:
    """What this machine can do now; starts bwrap twice at most, and sweeps away groups left by killed processes."""
    is_root = os.geteuid() == 0
    bwrap = shutil.which("bwrap", path=jail.LAUNCHER_ENVIRONMENT["PATH"] + ":/usr/local/bin") or ""
    version = _version(bwrap) if bwrap else ""
    problems, advice = _lacks(bwrap, version)
    if not problems:
        problems, advice = _trial(bwrap)
    groups = Groups(None, None) if problems else find_groups()
    groups.sweep()
    return Ability(bwrap, version, groups, is_root, problems, (*advice, _OFF) if problems else ())


def _lacks(bwrap: str, version: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing before anything can be tried, and what to do."""
    if sys.platform != "linux":
        return (f"It needs Linux, and this is {platform.system()}.",), (
            "Run agentflows in a Linux container or VM.",
        )
    if not bwrap:
        return ("bubblewrap (bwrap) is not installed.",), (_INSTALL,)
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if found < _OLDEST:
        return (f"bubblewrap is {version or 'of no known version'}; 0.8 is needed.",), (_INSTALL,)
    if not shutil.which("prlimit", path=jail.LAUNCHER_ENVIRONMENT["PATH"]):
        return ("prlimit is not installed.",), ("Install util-linux.",)
    return (), ()


def _version(bwrap: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            [bwrap, "--version"], capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("bubblewrap").strip()


def _trial(bwrap: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Build one sandbox around `true`, as narrow as the real ones."""
    limits = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    walls = [
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--cap-drop",
        "ALL",
        "--uid",
        jail.NOBODY,
    ]
    try:
        done = subprocess.run(  # noqa: S603
            [bwrap, *limits, *walls, "--", "/bin/bash", "-c", "true"],
            env=jail.LAUNCHER_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
        said = (
            ""
            if done.returncode == 0
            else " ".join(done.stderr.split())[:200] or f"exit code {done.returncode}"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if not said:
        return (), ()
    return (f"bwrap cannot build a sandbox here ({said}).",), (_allow(),)


def _allow() -> str:
    """What most likely forbids it, from the switches that are known to."""
    if _switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor forbids user namespaces to programs without a profile: add one for bwrap (man apparmor.d; `userns,`), "
            "or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
        )
    if _switch("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "User namespaces are switched off: `sysctl kernel.unprivileged_userns_clone=1`."
    if _switch("/proc/sys/user/max_user_namespaces") == "0":
        return "User namespaces are switched off: `sysctl user.max_user_namespaces=15000`."
    return (
        "In a container, user namespaces and mounts must be allowed to it (docker run --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined --security-opt systempaths=unconfined, or a VM instead)."
    )


def _switch(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def has_filter() -> bool:
    """Whether a system call filter is known for this processor."""
    return filter_program() is not None


def check_linux() -> None:
    """What watches over commands is Linux's own (process file descriptors, files in memory).

    Raises:
        SandboxError: this is another system.
    """
    if sys.platform != "linux":
        msg = f"Commands of agents and checks run on Linux only, found {sys.platform}. Use a container or a virtual machine with Linux."
        raise SandboxError(msg)
