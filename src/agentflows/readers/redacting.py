"""What the readers ask of a redactor, so that any object with these three will do."""

from typing import Any, Protocol


class Redacts(Protocol):
    """Replaces secrets by placeholders; `agentflows.redaction.Redactor` is the one that is shipped."""

    counts: dict[str, int]
    """How many were replaced so far, by kind."""

    def redact(self, text: str) -> str:
        """The text with a placeholder for each secret."""
        ...

    def redact_value(self, value: Any) -> Any:
        """The same for every string in decoded JSON."""
        ...


class NoRedaction:
    """Leaves everything as it is: for sources known to hold nothing secret, and for what was redacted before."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def redact(self, text: str) -> str:
        """The text itself."""
        return text

    def redact_value(self, value: Any) -> Any:
        """The value itself."""
        return value
