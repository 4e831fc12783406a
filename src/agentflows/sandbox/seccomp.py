"""A system call filter: what namespaces do not separate, and what nothing in a sandbox needs.

Namespaces leave some doors open: kernel keyrings are shared with whoever started the process, and `AF_VSOCK` sockets
reach the host of a virtual machine whatever the network namespace; and who is root outside could leave a program in the
workspace that runs as root for whoever starts it. The filter closes these, the calls that make new namespaces and mounts,
and some that have a record of kernel faults. It is a second layer: a machine whose processor is
not listed here runs without it, and the report says so. Numbers: arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h of Linux. Form: classic BPF over `struct seccomp_data`, seccomp(2).
"""

import errno
import platform
import struct
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_ARGUMENTS = (16, 24, 32, 40)
"""Where the low half of each argument is."""
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET."""
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: typing into a terminal."""
_SET_ID = 0o6000
"""S_ISUID | S_ISGID: run as the file's owner or group."""
_MAKES_FILE = 0x400040
"""O_CREAT | __O_TMPFILE: the flags with which `open` has a mode."""
_OPENAT2, _FCHMODAT2 = 437, 452
_X32 = 0x40000000
_SAME_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)
"""io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; mount_setattr."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of one processor architecture."""

    audit: int
    clone: int
    clone3: int
    socket: int
    ioctl: int
    modes: tuple[tuple[int, int], ...]
    """Calls that set a file's mode, and which argument that is: chmod fchmod fchmodat mknod mknodat creat."""
    opens: tuple[tuple[int, int], ...]
    """Calls that may make a file, and which argument has the flags; the mode is the next: open openat."""
    refused: tuple[int, ...]
    """add_key request_key keyctl bpf perf_event_open userfaultfd mount umount2 pivot_root chroot unshare setns
    name_to_handle_at open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module swapon
    swapoff reboot acct quotactl syslog."""


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        socket=41,
        ioctl=16,
        modes=((90, 1), (91, 1), (268, 2), (133, 1), (259, 2), (85, 1), (_FCHMODAT2, 2)),
        opens=((2, 1), (257, 2)),
        refused=(
            *(248, 249, 250, 321, 298, 323, 165, 166, 155, 161, 272, 308),
            *(303, 304, 246, 320, 175, 313, 176, 167, 168, 169, 163, 179, 103),
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        socket=198,
        ioctl=29,
        modes=((52, 1), (53, 2), (33, 2), (_FCHMODAT2, 2)),
        opens=((56, 2),),
        refused=(
            *(217, 218, 219, 280, 241, 282, 40, 39, 41, 51, 97, 268),
            *(264, 265, 104, 294, 105, 273, 106, 224, 225, 142, 89, 60, 116),
        ),
    ),
}


def filter_program() -> bytes | None:
    """The filter for this machine in the form `bwrap --seccomp` reads; None where its numbers are not known."""
    machine = _MACHINES.get(platform.machine())
    return None if machine is None else _assemble(machine)


def _assemble(machine: _Machine) -> bytes:
    refuse = _REFUSE | errno.EPERM
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        *_unless_equal(machine.audit, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _REFUSE | errno.ENOSYS),
    ]
    for number in (*machine.refused, *_SAME_EVERYWHERE):
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, refuse)]
    for number in (
        machine.clone3,
        _OPENAT2,
    ):  # behind a pointer, where a filter cannot look; libraries do without
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE | errno.ENOSYS)]
    steps += _on(machine.clone, [*_argument(0), *_refuse_bits(_NEW_NAMESPACES)])
    families = [_step(_EQUAL, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)]
    steps += _on(machine.socket, [*_argument(0), *families, _step(_RETURN, _REFUSE | errno.EAFNOSUPPORT)])
    typing = [
        step for call in _TERMINAL_INPUT for step in (_step(_EQUAL, call, 0, 1), _step(_RETURN, refuse))
    ]
    steps += _on(machine.ioctl, [*_argument(1), *typing])
    for number, place in machine.modes:
        steps += _on(number, [*_argument(place), *_refuse_bits(_SET_ID)])
    for number, place in machine.opens:
        mode = [*_argument(place + 1), *_refuse_bits(_SET_ID)]
        steps += _on(number, [*_argument(place), _step(_ANY_BIT, _MAKES_FILE, 0, len(mode)), *mode])
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _unless_equal(value: int, verdict: int) -> list[bytes]:
    return [_step(_EQUAL, value, 1, 0), _step(_RETURN, verdict)]


def _argument(place: int) -> list[bytes]:
    return [_step(_LOAD, _ARGUMENTS[place])]


def _refuse_bits(bits: int) -> list[bytes]:
    return [_step(_ANY_BIT, bits, 0, 1), _step(_RETURN, _REFUSE | errno.EPERM)]


def _on(number: int, steps: list[bytes]) -> list[bytes]:
    """`steps` for the call `number` only; afterwards the number is loaded again."""
    after = [_step(_LOAD, _NUMBER)]
    return [_step(_EQUAL, number, 0, len(steps) + len(after)), *steps, *after]
