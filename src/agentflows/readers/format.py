"""What a native format must tell the readers: how to know it, how to take it apart, how to make sessions of it."""

from collections.abc import Sequence
from typing import Any, Protocol

from agentflows.session import Session


class Building(Protocol):
    """One file's sessions while its records come in, in order."""

    def refusal(self, record: dict[str, Any]) -> str:
        """Why this record cannot be taken, as quarantine shall show it; "" when it can. Changes nothing."""
        ...

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take one record that was not refused."""
        ...

    def sessions(self) -> tuple[Session, ...]:
        """What became of the records so far."""
        ...


class Format(Protocol):
    """A native format. All of them are read as records: lines of a line format, parts of a document.

    A record is self-contained, so that the raw records kept in the archive give the same sessions again.
    """

    name: str
    version: int
    """Counts up whenever the same bytes give other sessions."""
    example: str
    """One line that shows what is expected, for the error message of an unknown file."""

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether this is a record of this format and of no other."""
        ...

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """The records of a whole JSON document; None when it is no document of this format."""
        ...

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record without what is large, never read, and said elsewhere. Slimming twice is slimming once."""
        ...

    def start(self, stem: str) -> Building:
        """Begin a file; `stem` is its name without folder and endings, for logs that bear no id."""
        ...
