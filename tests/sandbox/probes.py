"""Ways out of a sandbox, each a script that prints ESCAPED when it found one.

Each is bounded and does no harm where it succeeds: it opens without writing, asks without taking, or touches a file
that the test owns. Those marked `control` succeed without walls for any user of Linux, which shows that they can.
What a script needs of the host stands in variables: PY, SECRET, OUTSIDE, HOST_PID, PORT, ABSTRACT, SHM_KEY, SHM_FILE,
HOST_NAME.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One way out."""

    name: str
    script: str
    control: bool = False
    """Whether it succeeds without a sandbox."""


def shell(name: str, test: str, *, control: bool = False) -> Probe:
    """Escaped when the shell command succeeds."""
    return Probe(name, f"if {{ {test} ; }} >/dev/null 2>&1; then echo ESCAPED; fi", control)


def python(name: str, code: str, *, control: bool = False) -> Probe:
    """Escaped when the code runs to its end without an error."""
    return Probe(name, f"\"$PY\" - <<'END' 2>/dev/null && echo ESCAPED\n{code}\nEND\ntrue", control)


def system_call(name: str, x86: int, arm: int, arguments: str, *, control: bool = False) -> Probe:
    """Escaped when the system call does not fail with EPERM or ENOSYS."""
    code = (
        "import ctypes, platform\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"number = {{'x86_64': {x86}, 'aarch64': {arm}}}[platform.machine()]\n"
        f"found = libc.syscall(number, {arguments})\n"
        "raise SystemExit(found < 0 and ctypes.get_errno() in (1, 38))"
    )
    return python(name, code, control=control)


FILES = [
    shell("read a file by its path", 'cat "$SECRET"', control=True),
    shell("list the folder beside the workspace", 'ls -A "$(dirname "$SECRET")" | grep .', control=True),
    shell("read through a link that lay in the workspace", "cat planted-link", control=True),
    shell("read through a link made inside", 'ln -sf "$SECRET" made-link && cat made-link', control=True),
    shell("read through a link to a folder", "cat planted-folder/secret", control=True),
    shell("climb out with ..", "cat ../outside/secret", control=True),
    shell("climb out of the working folder's handle", "cat /proc/self/cwd/../outside/secret", control=True),
    shell("the root of the first process", 'cat "/proc/1/root$SECRET"'),
    shell("the root of the parent", 'cat "/proc/$PPID/root$SECRET"', control=True),
    shell("the accounts of the machine", "ls /etc/shadow /etc/gshadow", control=True),
    shell(
        "identity of the machine",
        "cat /etc/machine-id /etc/hostname || ls /root /home /var/log",
        control=True,
    ),
    shell("kernel settings and devices in /sys", "ls /sys | grep .", control=True),
    shell("write beside the workspace", 'echo x > "$OUTSIDE/written"', control=True),
    shell("a file of the host's shared memory", 'cat "$SHM_FILE"', control=True),
    shell("write to the programs", "touch /usr/agentflows-probe || touch /usr/bin/agentflows-probe"),
    shell(
        "write to the root, /etc or /dev", "touch /agentflows-probe || touch /etc/probe || touch /dev/probe"
    ),
    shell("rename a program", "mv /usr/bin/env /usr/bin/agentflows-probe"),
    shell("remount the programs writable", "mount -o remount,rw,bind /usr"),
    shell("mount a file system", "mount -t tmpfs none /mnt || mount -t tmpfs none /workspace"),
    shell("unmount a mask", "umount /proc/sys || umount -l /tmp"),
    shell("a hard link to a program", "ln /usr/bin/env ./env-link"),
]

KERNEL = [
    Probe(
        "kernel settings that can be written",
        "find /proc/ -mindepth 1 -maxdepth 4 -path '/proc/[0-9]*' -prune -o -path '/proc/*self' -prune -o "
        "-type f -writable -print 2>/dev/null | while read -r file; do "
        '(exec 3>>"$file") 2>/dev/null && echo "ESCAPED $file"; done; true',
    ),
    shell("the program that takes core dumps", "exec 3>>/proc/sys/kernel/core_pattern"),
    shell("the kernel's request key", "exec 3>>/proc/sysrq-trigger"),
    shell("memory of the kernel", "head -c 1 /proc/kcore | grep -q . || head -c 1 /dev/mem || ls /dev/kmsg"),
    shell(
        "addresses and keys of the kernel", "grep -q . /proc/kallsyms || grep -q . /proc/keys", control=True
    ),
    shell("how the kernel was started", "grep -q . /proc/cmdline", control=True),
    shell("disks", "ls /dev/*da /dev/loop* /dev/nvme* /dev/dm-* | grep ."),
    shell("make a device", "mknod disk b 254 0 || mknod zero c 1 5"),
    shell("a new user namespace", "unshare -Ur true"),
    shell("other new namespaces", "unshare -m true || unshare -n true || unshare -p --fork true"),
    shell("the namespaces of the first process", "nsenter -t 1 -m -p true"),
    shell("a namespace file opened and entered", 'nsenter --net="/proc/$PPID/ns/net" true'),
    python("chroot", "import os; os.mkdir('jail'); os.chroot('jail')"),
    Probe(
        "capabilities",
        "grep -E '^Cap[IPEA]' /proc/self/status | grep -qv '0000000000000000' && echo ESCAPED; true",
    ),
    shell("privileges by set-user-id", "grep -q 'NoNewPrivs:.*0$' /proc/self/status", control=True),
    shell(
        "a program left behind that runs as its owner",
        "cp /bin/true left && chmod u+s left && test -u left",
        control=True,
    ),
    shell(
        "one that runs as its group",
        "cp /bin/true left-group && chmod 2755 left-group && test -g left-group",
        control=True,
    ),
    shell("one installed", "install -m 4755 /bin/true installed && test -u installed", control=True),
    python(
        "one made with its mode",
        "import os, stat\nos.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o4755))\n"
        "raise SystemExit(not os.stat('made').st_mode & stat.S_ISUID)",
        control=True,
    ),
    python("one made as a node", "import os; os.mknod('node', 0o104755)", control=True),
    shell("become root", "su -c true || sudo -n true || \"$PY\" -c 'import os; os.setuid(0)'"),
    shell("a low port or the clock", "date -s @0"),
    system_call("keyrings", 250, 219, "0, -3, 0, 0, 0"),
    system_call("a key of the caller", 248, 217, "b'user', b'agentflows-probe', b'x', 1, -2"),
    system_call("programs in the kernel (bpf)", 321, 280, "99, 0, 0"),
    system_call("performance counters", 298, 241, "0, 0, -1, -1, 0"),
    system_call("page faults of one's own", 323, 282, "0"),
    system_call("io_uring", 425, 425, "1, ctypes.create_string_buffer(256)"),
    system_call("handles instead of paths", 304, 265, "-100, ctypes.create_string_buffer(64), 0"),
    system_call("mounts without mount", 428, 428, "-100, b'/', 1"),
]

PROCESSES = [
    shell("processes of the host", "grep -l 'agentflows-[b]ystander' /proc/[0-9]*/cmdline", control=True),
    shell("environments of the host", "cat /proc/*/environ | grep -q canary-of-the-host", control=True),
    shell("one's own environment", "env | grep -q canary"),
    shell("the environment of the first process", "grep -q canary /proc/1/environ"),
    shell(
        "what started it",
        "tr '\\0' '\\n' < \"/proc/$PPID/environ\" | grep -Ev '^(PATH|PWD|SHLVL|OLDPWD|_)=' | grep -q .",
    ),
    shell("a process of the host by its number", 'kill -0 "$HOST_PID"', control=True),
    shell("open files of whoever started it", 'test "$(ls /proc/self/fd | wc -l)" -gt 4'),
    shell("a terminal", "exec 3<>/dev/tty"),
    python("typing into the terminal", "import fcntl; fcntl.ioctl(0, 0x5412, b'x')"),
    python(
        "shared memory by key",
        "import ctypes, os\nlibc = ctypes.CDLL(None)\nraise SystemExit(libc.shmget(int(os.environ['SHM_KEY']), 0, 0) < 0)",
        control=True,
    ),
    shell("the name of the machine", 'test "$(uname -n)" = "$HOST_NAME"', control=True),
]

NETWORK = [
    shell("a port of the host", "exec 3<>/dev/tcp/127.0.0.1/$PORT", control=True),
    python(
        "the same without bash",
        "import os, socket; socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), 2)",
        control=True,
    ),
    shell("an interface beside its own loopback", "tail -n +3 /proc/net/dev | grep -v '^ *lo:'"),
    shell("a route", "tail -n +2 /proc/net/route | grep -q ."),
    python("a packet to another host", "import socket; socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 9))"),
    python("a name server", "import socket; socket.getaddrinfo('example.com', 80)"),
    python(
        "an abstract socket of the host",
        "import os, socket; socket.socket(1, 1).connect('\\0' + os.environ['ABSTRACT'])",
        control=True,
    ),
    python("raw packets", "import socket; socket.socket(2, 3, 1)"),
    python("link-layer packets", "import socket; socket.socket(17, 3)"),
    python("the host of a virtual machine", "import socket; socket.socket(40, 1)"),
    python(
        "bluetooth, CAN and kernel crypto",
        "import socket\nmade = 0\nfor family, kind in ((31, 3), (29, 3), (38, 5)):\n"
        "    try:\n        socket.socket(family, kind)\n        made += 1\n    except OSError:\n        pass\n"
        "raise SystemExit(made == 0)",
    ),
]

PROBES = [*FILES, *KERNEL, *PROCESSES, *NETWORK]
