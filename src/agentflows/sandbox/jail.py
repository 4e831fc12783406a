"""The walls: how bubblewrap is called, what a command sees, and what it is limited to.

A command sees `/usr` and a little of `/etc`, read-only; its workspace; mounts it was given, read-only; and a private
`/tmp`. All else does not exist for it. The environment is built from nothing.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentflows.sandbox.words import Limits

WORKSPACE = "/workspace"
"""Where a command finds its workspace."""
NOBODY = "65534"
PLAIN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - private to the command
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
LAUNCHER_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
"""Of bwrap itself: its first process stays in the sandbox, where its environment can be read."""
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
_ETC_NETWORK = (
    *("resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust", "ca-certificates"),
)
"""Not all of `ssl` and `pki`: private keys lie there too, and root reads them."""
_PROC_HIDDEN = (
    *(
        "acpi",
        "asound",
        "interrupts",
        "kallsyms",
        "kcore",
        "keys",
        "key-users",
        "kmsg",
        "latency_stats",
        "scsi",
    ),
    *("sched_debug", "timer_list", "timer_stats", "slabinfo", "vmallocinfo", "pagetypeinfo", "cmdline"),
)
"""What says more about the machine than a command needs."""
_PROC_OWN = ("sysvipc", "net")
"""Made for each namespace by the kernel; nothing in them reaches out."""
_ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PASSWD = b"nobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
_GROUP = b"nogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one command may see and do."""

    workspace: Path
    network: bool
    read_only: bool
    environment: Mapping[str, str]
    mounts: Mapping[str, Path]
    """Mount point inside → folder outside; read-only."""
    limits: Limits


def options(policy: Policy, folder: str, *, passwd: int, group: int) -> list[str]:
    """What bwrap is told before the command. `passwd` and `group` are descriptors of generated files.

    They go through a descriptor, not the command line, which everybody on the machine can read.
    """
    tmp = str(policy.limits.file_bytes or 4096)
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *(["--share-net"] if policy.network else []),
        *("--hostname", "sandbox", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL", "--clearenv"),
        *(word for name, value in policy.environment.items() for word in ("--setenv", name, value)),
        *_system(has_network=policy.network),
        *("--ro-bind-data", str(passwd), "/etc/passwd", "--ro-bind-data", str(group), "/etc/group"),
        *("--proc", "/proc", *_masks()),
        *("--dev", "/dev", "--perms", "1777", "--size", tmp, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108 - inside
        *("--perms", "1777", "--size", tmp, "--tmpfs", "/tmp"),  # noqa: S108 - inside
        *("--ro-bind" if policy.read_only else "--bind", str(policy.workspace), WORKSPACE),
        *(word for point, source in policy.mounts.items() for word in ("--ro-bind", str(source), point)),
        *("--remount-ro", "/", "--chdir", WORKSPACE if folder == "." else f"{WORKSPACE}/{folder}"),
    ]


def _system(*, has_network: bool) -> list[str]:
    """The programs and libraries of this machine, and the few files of /etc that they need."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in _ROOT_FOLDERS:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in (*_ETC, *(_ETC_NETWORK if has_network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


@cache
def _masks() -> tuple[str, ...]:
    """Mounts over the parts of /proc that are of the whole machine.

    Their files belong to root outside, who may write them without any capability; and who was root outside still is
    inside a user namespace. Without the masks a command could name the program that takes core dumps.
    """
    words: list[str] = []
    for path in sorted(Path("/proc").iterdir()):
        if path.name.isdigit() or path.name in _PROC_OWN or path.is_symlink():
            continue
        if path.name in _PROC_HIDDEN:
            hidden = ("--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path))
            words += hidden if path.is_dir() else ("--ro-bind-try", "/dev/null", str(path))
        elif path.is_dir() or path.stat().st_mode & 0o222:
            words += ["--ro-bind-try", str(path), str(path)]
    return tuple(words)


def limited(command: Sequence[str], limits: Limits, *, has_memory_group: bool) -> list[str]:
    """The command under resource limits that each of its processes inherits."""
    rules = [
        f"--cpu={limits.most_cpu_seconds}:{limits.most_cpu_seconds + 1}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        f"--nproc={limits.processes}",
    ]
    if not has_memory_group:  # address space is a poor measure: some runtimes reserve far more than they use
        rules.append(f"--as={limits.memory_bytes}")
    return [shutil.which("prlimit", path=LAUNCHER_ENVIRONMENT["PATH"]) or "prlimit", *rules, "--", *command]


def in_groups(command: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The command, started as a member of control groups from its first moment."""
    if not folders:
        return list(command)
    enter = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
    return ["/bin/sh", "-c", enter, "sh", *map(str, folders), "--", *command]


def in_memory(content: bytes, name: str) -> int:
    """A descriptor to read `content` from, for a child to inherit."""
    fd = os.memfd_create(name)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def generated_files() -> tuple[bytes, bytes]:
    """The contents of /etc/passwd and /etc/group inside."""
    return _PASSWD, _GROUP
