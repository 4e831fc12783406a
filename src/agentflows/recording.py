"""Runs for others to see: in the archive, with what their grading said, for dreams to learn from; and while they go on."""

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from agentflows import readers
from agentflows.agent import Transcript
from agentflows.archive import AddReport
from agentflows.errors import StoreError
from agentflows.home import Home
from agentflows.runners import outcome_line
from agentflows.session import OutcomeLabel

_EVERY_SECONDS = 2.0
"""Between two looks at a run that goes on."""
_SHARE = 20
"""Of the time, looks take one part in so many at most: each tells a run from its beginning."""


def record_run(home: Home, transcript: Transcript, outcome: OutcomeLabel | None = None) -> AddReport:
    """Archive one run, redacted as every session is. It is there when this returns; doing it again changes nothing.

    Runs that end in several threads at about the same time are published together.

    A run may be recorded when it ends and once more when it was graded: the label then joins the session that is
    archived already. A label that contradicts an earlier one does not replace it.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    lines = [*transcript.raw, *([outcome_line(outcome)] if outcome else [])]
    stream = io.BytesIO("\n".join(lines).encode())
    name = f"agentflows:{transcript.session.session_id}"
    reads = [
        read.model_copy(update={"file": name})
        for read in readers.read("-", source="agentflows", redactor=home.redactor(), stdin=stream)
    ]
    return home.archive.add_with_others(reads)


class Showing:
    """What a run does, redacted, for whoever looks while it goes on: a few seconds late, under `shown_name` in the state.

    Args:
        home: the doors.
        name: of the run.
    """

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self._name = shown_name(name)
        self._next = time.monotonic() + _EVERY_SECONDS
        self._lines: list[str] = []
        self._redacted: list[str] = []

    def __call__(self, lines: Callable[[], Sequence[str]]) -> None:
        """Take the lines so far, if it is time to."""
        began = time.monotonic()
        if began < self._next:
            return
        if (found := list(lines())) != self._lines:
            same = next((n for n, (a, b) in enumerate(zip(found, self._lines, strict=False)) if a != b), None)
            kept = min(len(found), len(self._lines)) if same is None else same
            self._redacted[kept:] = redacted_lines(self._home, found[kept:])
            self._lines = found
            with suppress(StoreError):  # it is only looked at; the run's own records say what is wrong
                self._home.state.keep_runner_state(self._name, json.dumps({"lines": self._redacted}))
        now = time.monotonic()
        self._next = now + max(_EVERY_SECONDS, _SHARE * (now - began))


def shown_name(name: str) -> str:
    """Where the redacted lines of a run stand that goes on, or that broke off and is not gone on with."""
    return f"{name}/shown"


def redacted_lines(home: Home, lines: Iterable[str]) -> Iterator[str]:
    """Lines of a run, redacted as the archive would have done it."""
    redactor = home.redactor()
    for line in lines:
        try:
            yield json.dumps(redactor.redact_value(json.loads(line)))
        except ValueError:
            yield redactor.redact(line)
