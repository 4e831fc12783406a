"""The system call filter, step by step: also for processors that this machine does not have."""

import errno
import platform
import struct

import pytest

from agentflows.sandbox.seccomp import (
    _MACHINES,  # pyright: ignore[reportPrivateUsage]
    _assemble,  # pyright: ignore[reportPrivateUsage]
    filter_program,
)

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, NO_FAMILY = (0x00050000 | number for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))
CALLS = {
    "x86_64": {
        "read": 0,
        "openat": 257,
        "execve": 59,
        "fork": 57,
        "keyctl": 250,
        "mount": 165,
        "unshare": 272,
    },
    "aarch64": {
        "read": 63,
        "openat": 56,
        "execve": 221,
        "wait4": 260,
        "keyctl": 219,
        "mount": 40,
        "unshare": 97,
    },
}


def _run(program: bytes, number: int, *arguments: int, architecture: int) -> int:
    """What the kernel would answer: classic BPF over `struct seccomp_data`."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=iIQ6Q", number, architecture, 0, *padded)
    steps = list(struct.iter_unpack("=HBBI", program))
    place = value = 0
    while True:
        code, if_true, if_false, operand = steps[place]
        place += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return operand
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            place += if_true if holds else if_false


@pytest.mark.parametrize("name", _MACHINES)
def test_the_filter_refuses_what_it_names_and_nothing_else(name: str):
    """Ordinary calls pass; keyrings, mounts, namespaces and foreign socket families do not."""
    machine = _MACHINES[name]
    program = _assemble(machine)

    def answer(number: int, *arguments: int) -> int:
        return _run(program, number, *arguments, architecture=machine.audit)

    for call, number in CALLS[name].items():
        assert answer(number) == (EPERM if call in {"keyctl", "mount", "unshare"} else ALLOW), call
    assert {answer(number) for number in machine.refused} == {EPERM}
    assert answer(425) == answer(442) == EPERM
    assert answer(machine.clone3) == ENOSYS
    assert answer(machine.clone, 0x01200011) == ALLOW, "fork as libraries do it"
    assert answer(machine.clone, 0x003D0F00) == ALLOW, "a thread"
    assert {answer(machine.clone, flag | 17) for flag in (0x20000, 0x10000000, 0x40000000)} == {EPERM}
    assert [answer(machine.socket, family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
    assert {answer(machine.socket, family) for family in (0, 3, 17, 29, 31, 38, 40)} == {NO_FAMILY}
    assert answer(machine.ioctl, 0, 0x5412) == answer(machine.ioctl, 0, 0x541C) == EPERM
    assert answer(machine.ioctl, 0, 0x5413) == ALLOW, "the size of a terminal"


@pytest.mark.parametrize("name", _MACHINES)
def test_no_file_gets_the_rights_of_its_owner(name: str):
    """By no call that sets a mode, and by none that opens; garbage where an open has no mode is none."""
    machine = _MACHINES[name]
    program = _assemble(machine)
    create, temporary, set_user, set_group = 0x41, 0x410001, 0o104755, 0o2755
    for number, place in machine.modes:
        before = [0x7FFFFFFF] * place
        for mode, wanted in ((set_user, EPERM), (set_group, EPERM), (0o1777, ALLOW), (0o755, ALLOW)):
            assert _run(program, number, *before, mode, architecture=machine.audit) == wanted
    for number, place in machine.opens:
        before = [0x7FFFFFFF] * place
        for flags, wanted in ((create, EPERM), (temporary, EPERM), (0, ALLOW), (0x10000, ALLOW)):
            assert _run(program, number, *before, flags, set_user, architecture=machine.audit) == wanted
            assert _run(program, number, *before, flags, 0o644, architecture=machine.audit) == ALLOW
    assert _run(program, 437, architecture=machine.audit) == ENOSYS


@pytest.mark.parametrize("name", _MACHINES)
def test_calls_of_another_architecture_are_killed(name: str):
    """Their numbers mean other calls; x32 has its own on the same processor."""
    machine = _MACHINES[name]
    program = _assemble(machine)
    assert _run(program, 0, architecture=0x40000003) == KILL
    assert _run(program, 0x40000000 | 59, architecture=machine.audit) == ENOSYS


def test_this_processor_has_a_filter():
    """Where it has none, doctor says so."""
    assert (filter_program() is not None) == (platform.machine() in _MACHINES)
