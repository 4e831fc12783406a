"""Holders: who holds a lease, in words for people and in facts that tell whether it still lives."""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """A process at work on something."""

    who: str
    host: str
    process: int
    began: str
    """When the system started the process, in its own ticks, so that a later process of the same number is
    another one; "" where the system does not say."""
    since: str
    """When it took the lease, in UTC, to the second."""
    work: str
    """What it is at, such as a dream's id."""
    key: str
    """Tells two holders in one process apart."""

    @staticmethod
    def here(who: str, work: str) -> "Holder":
        """This process, from now on."""
        return Holder(
            who=who,
            host=socket.gethostname(),
            process=os.getpid(),
            began=_began(os.getpid()),
            since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            work=work,
            key=secrets.token_hex(4),
        )

    @staticmethod
    def read(owner: str) -> "Holder | None":
        """The holder that a lease's owner stands for; None when somebody else named that owner."""
        try:
            return Holder(**json.loads(owner))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        """As a lease's owner."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.who} (process {self.process} on {self.host}, {self.work}) since {self.since} UTC"

    @property
    def is_gone(self) -> bool:
        """Whether it certainly lives no more: only a process on this machine can be known to be gone.

        In a container that shares its host's name a living process may look gone. Nothing is lost then:
        whoever takes the lease fences the earlier holder, and its commit is refused.
        """
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it lives, as somebody else's
            return False
        return self.began != _began(self.process)


def _began(process: int) -> str:
    try:
        text = Path(f"/proc/{process}/stat").read_text("utf-8")
    except OSError:  # not Linux, or gone meanwhile
        return ""
    # The command's name, in parentheses, may hold blanks; the start time is the 22nd field of all.
    state, started = text.rpartition(")")[2].split()[:1], text.rpartition(")")[2].split()[19]
    return "" if state == ["Z"] else started
