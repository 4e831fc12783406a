"""A lock in an object store: one object that is only ever written on the condition that it is what was read.

Whoever holds it writes it anew while it lives; one that was not written for long belongs to a process that died. Its
age is told by the store's own clock. A store that does not heed conditions is found out, and said to be so.
"""

import contextlib
import getpass
import os
import secrets
import socket
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote, unquote

from agentflows.errors import ArchiveError

LOCK = "maintenance.lock"
LOCK_SECONDS = 120.0
"""How long others wait for a process that died while it held the lock."""
RENEW_SECONDS = 20.0
CONDITIONS_UNKNOWN = frozenset({"NotImplemented", "501"})
"""What a store says that has no conditional writes, where it says anything."""
_WHO = "who"
"""The metadata of the object that names its holder."""
_HOLD = "hold"
_ATTEMPTS = 4


class Conditional(Protocol):
    """An object store that writes on a condition."""

    root: str

    def put_if(self, path: str, data: bytes, **condition: Any) -> str:
        """Write on `IfMatch` or `IfNoneMatch`. Returns the new ETag. Raises FileExistsError where it does not hold."""
        ...

    def head(self, path: str) -> dict[str, Any] | None:
        """What the store says of an object; None when there is none."""
        ...

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Turns what the store says into `ArchiveError`."""
        ...


class Lock:
    """The lock of one archive. `needed` has maintenance refused where the store cannot keep two apart."""

    def __init__(self, store: Conditional, *, needed: bool = True) -> None:
        self._store = store
        self._needed = needed
        self._renewed_at, self._is_lost = 0.0, False
        self.seconds = LOCK_SECONDS
        self.renew_every = RENEW_SECONDS

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold the lock object, and write it anew for as long as this lives.

        Raises:
            ArchiveError: another process holds it; or the store does not heed conditions.
        """
        hold = secrets.token_hex(8)
        self._renewed_at, self._is_lost = time.monotonic(), False
        held = [self._taken(hold)]
        end = threading.Event()
        thread = threading.Thread(
            target=self._renew, args=(hold, held, end), name="archive lock", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
            # not given back, it runs out by itself
            with contextlib.suppress(OSError, ArchiveError), self._store.explained():
                self._claim("", "", IfMatch=held[0])

    def check(self) -> None:
        """See that nobody else can have the lock that is held here.

        Raises:
            ArchiveError: another process took it over, or it ran out while the store could not be reached.
        """
        if self._needed and (self._is_lost or time.monotonic() - self._renewed_at > self.seconds):
            msg = (
                f"The lock of the archive at {self._store.root!r} ran out while this process stood still or could not reach it, "
                "and another may be at work there. Nothing was replaced. Run the same command again."
            )
            raise ArchiveError(msg)

    def _taken(self, hold: str) -> str:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileExistsError), self._store.explained():
                found = self._holder()
                if (
                    found is not None and found.hold == hold
                ):  # the answer to an earlier try was lost on its way
                    return found.etag
                if found is not None and found.who and found.age < self.seconds:
                    msg = (
                        f"{found.who} is compacting, forgetting or rebuilding in {self._store.root!r}. Try again when it is done; "
                        f"if it died, its lock runs out in {self.seconds - found.age:.0f} s. Nothing was done."
                    )
                    raise ArchiveError(msg)
                condition = {"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}
                etag = self._claim(_who(), hold, **condition)
                if self._needed:
                    self._check_conditions()
                return etag
        msg = f"Others keep taking the lock of the archive at {self._store.root!r}. Try again when they are done."
        raise ArchiveError(msg)

    def _claim(self, who: str, hold: str, **condition: str) -> str:
        token = secrets.token_bytes(16)  # so that no two writes of it have one ETag
        told = {_WHO: quote(who), _HOLD: hold}
        try:
            return self._store.put_if(LOCK, token, Metadata=told, **condition)
        except OSError as error:
            if code_of(error) not in CONDITIONS_UNKNOWN:
                raise
            if self._needed:
                raise ArchiveError(self._no_conditions()) from error
            return self._store.put_if(LOCK, token, Metadata=told)

    def _holder(self) -> "_Holder | None":
        answer = self._store.head(LOCK)
        if answer is None:
            return None
        now = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        # By the store's own clock, so that machines' clocks need not agree.
        clock = parsedate_to_datetime(now) if now else datetime.now(UTC)
        age = (clock - answer["LastModified"]).total_seconds()
        told = answer.get("Metadata", {})
        return _Holder(unquote(told.get(_WHO, "")), told.get(_HOLD, ""), answer["ETag"], age)

    def _check_conditions(self) -> None:
        """Write on a condition that cannot hold.

        Raises:
            ArchiveError: the store wrote all the same.
        """
        try:
            self._claim("", "", IfMatch=f'"{"0" * 32}"')
        except FileExistsError:
            return
        raise ArchiveError(self._no_conditions())

    def _no_conditions(self) -> str:
        return (
            f"The object store of {self._store.root!r} does not heed conditional writes (If-Match), so two processes that compact, "
            "forget or rebuild at once cannot be kept apart there. Adding and reading need none. Use a store that has them; "
            "or see to it that only one does so at a time, and set AGENTFLOWS_ARCHIVE_LOCK=off. Nothing was done."
        )

    def _renew(self, hold: str, held: list[str], end: threading.Event) -> None:
        while not end.wait(self.renew_every):
            begun = time.monotonic()
            try:
                with self._store.explained():
                    held[0] = self._again(hold, held[0])
            except FileExistsError:
                self._is_lost = True  # taken over while this process stood still
                return
            except (OSError, ArchiveError):
                continue  # not reached for now: the lock runs on until its time is over
            self._renewed_at = begun

    def _again(self, hold: str, etag: str) -> str:
        try:
            return self._claim(_who(), hold, IfMatch=etag)
        except FileExistsError:
            found = self._holder()
            if found is None or found.hold != hold:
                raise
            return found.etag  # written by an earlier try, whose answer was lost on its way


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whoever holds the lock; `who` is "" when nobody does."""

    who: str
    hold: str
    """Tells one holding of the lock from all others; "" for none."""
    etag: str
    age: float
    """Seconds since it was written, by the store's clock."""


def _who() -> str:
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        login = f"uid {os.getuid()}"
    return f"{login} (process {os.getpid()} on {socket.gethostname()})"


def code_of(error: BaseException) -> str:
    """What the store called the error; "" where it did not."""
    response: Any = getattr(error.__cause__, "response", None) or getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
