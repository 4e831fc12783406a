"""What this machine's sandbox holds, tried out: for `agentflows doctor` and for whoever sets one up."""

import tempfile
from pathlib import Path

from pydantic import BaseModel

from agentflows.errors import SandboxError
from agentflows.sandbox.ability import ProcessLimit, find_ability
from agentflows.sandbox.beneath import has_openat2
from agentflows.sandbox.sandbox import Sandbox
from agentflows.sandbox.seccomp import filter_program
from agentflows.sandbox.words import Limits

_TRIAL = """
printf 'interfaces=%s\\n' "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\\n' ' ')"
printf 'user=%s\\n' "$(id -u)"
tr '\\0' '\\n' < /proc/1/environ
"""


class SandboxReport(BaseModel, frozen=True):
    """What a sandbox can be built from here, and how well it holds."""

    bwrap: str
    """The path of bubblewrap, or ""."""
    bwrap_version: str
    is_root: bool
    """Whether this process is root, whom the kernel exempts from some limits."""
    is_network_cut: bool
    """Whether a command without network saw no interface but its own loopback."""
    process_limit: ProcessLimit
    """What bounds the number of processes."""
    has_memory_group: bool
    """Whether memory is bounded for all processes of a command together; else for each by itself."""
    has_filter: bool
    """Whether system calls that namespaces do not separate are refused."""
    has_openat2: bool
    """Whether the kernel opens files beneath a folder in one step; else component by component, slower."""
    problems: tuple[str, ...]
    """Why there can be no sandbox; empty when there can."""
    warnings: tuple[str, ...]
    """What it does not do here and would do elsewhere."""
    advice: tuple[str, ...]
    """How to change that."""

    @property
    def usable(self) -> bool:
        """Whether commands can run in a sandbox here."""
        return not self.problems


def probe() -> SandboxReport:
    """Find out anew what this machine can do, by building a sandbox and looking around in it; about 0.5 s."""
    able = find_ability()
    problems, advice = able.problems, able.advice
    is_cut = False
    if not problems:
        said = _look_around()
        is_cut = said.startswith("interfaces=lo \nuser=65534\n")
        problems = () if is_cut else (f"A trial command saw what it should not: {said.strip()[:200]!r}.",)
    warnings, more = _caveats(
        able.process_limit, has_memory_group=bool(able.groups.memory), is_root=able.is_root
    )
    return SandboxReport(
        bwrap=able.bwrap,
        bwrap_version=able.version,
        is_root=able.is_root,
        is_network_cut=is_cut,
        process_limit=able.process_limit,
        has_memory_group=bool(able.groups.memory),
        has_filter=filter_program() is not None,
        has_openat2=has_openat2(),
        problems=problems,
        warnings=() if problems else warnings,
        advice=advice if problems else more,
    )


def _look_around() -> str:
    """What a command sees of network, user and environment of the first process; or why it could not be run."""
    with tempfile.TemporaryDirectory(prefix="agentflows-probe-") as folder:
        try:
            return Sandbox(Path(folder), limits=Limits(seconds=20)).run(_TRIAL).output
        except SandboxError as error:
            return str(error)


def _caveats(
    limit: ProcessLimit, *, has_memory_group: bool, is_root: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    warnings: list[str] = []
    advice: list[str] = []
    if limit == "watched":
        warnings.append(
            "This process is root, whom RLIMIT_NPROC does not bind, and may not make control groups: the number of "
            "processes is looked at every 50 ms, and a command with too many is killed."
        )
        advice.append("Run agentflows as an ordinary user, or where control groups can be written.")
    if not has_memory_group:
        warnings.append("Memory is bounded for each process by itself, not for all of a command together.")
        if not is_root:
            advice.append("For a bound on all memory, run where control groups can be written.")
    if filter_program() is None:
        warnings.append(
            "No system call filter is known for this processor: kernel keyrings and vsock stay in reach."
        )
    if not has_openat2():
        warnings.append(
            "The kernel has no openat2: files are opened component by component, safely but slower."
        )
    return tuple(warnings), tuple(advice)
