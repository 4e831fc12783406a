"""Places where a test can stop the program: `AGENTFLOWS_FAILPOINT=<name>:<action>`.

Actions: `kill` (SIGKILL, as a crash or the kernel would), `raise` (an error on the way), `enospc` (the
disk is full). Without the variable a failpoint does nothing.
"""

import errno
import os
import signal

from agentflows.errors import SettingsError, StoreError

VARIABLE = "AGENTFLOWS_FAILPOINT"

COMMIT_POINTS = (
    "commit.begin",
    "commit.checked",
    "commit.approved",
    "commit.versioned",
    "commit.written",
    "commit.moved",
    "commit.evidence",
    "commit.audited",
    "commit.done",
)
"""In the order a commit passes them. All but `commit.done` stand inside the transaction."""


def failpoint(name: str) -> None:
    """Stop here when the environment asks for it.

    Raises:
        StoreError: the action is `raise`.
        OSError: the action is `enospc`.
        SettingsError: the action is none of the three.
    """
    point, _, action = os.environ.get(VARIABLE, "").partition(":")
    if point != name:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        msg = f"Stopped at the failpoint {name!r} because {VARIABLE} says so. Unset it to go on."
        raise StoreError(msg)
    if action == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    msg = f"{VARIABLE}={point}:{action!r} is no action. Use kill, raise or enospc."
    raise SettingsError(msg)
