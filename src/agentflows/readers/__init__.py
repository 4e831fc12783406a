"""The readers door: native session logs become sessions, with nothing lost and every text's trust told.

A format is one module here. Each is read as records, lines or parts of a document. Every record is accepted or
quarantined: `accepted + len(quarantined) == lines`, always. Trust comes from the place a text stands in the log.
Secrets are replaced in the decoded strings before anything is made of them.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from agentflows.errors import ReaderError, UsageError
from agentflows.readers.agentflows_run import AgentflowsRun
from agentflows.readers.claude_code import ClaudeCode
from agentflows.readers.discovering import Survey, survey
from agentflows.readers.format import Format
from agentflows.readers.intake import UNKNOWN, take_back, take_in
from agentflows.readers.intercode import InterCode
from agentflows.readers.messages import Messages
from agentflows.readers.redacting import NoRedaction, Redacts
from agentflows.readers.source import Limits, open_source, source_of, stem
from agentflows.readers.tau2_bench import Tau2Bench
from agentflows.readers.tau_bench import TauBench
from agentflows.session import Quarantined, RawLine, SourceRead

__all__ = [
    "Limits",
    "Redacts",
    "Survey",
    "discover",
    "formats",
    "read",
    "read_raw",
    "survey",
    "unreadable",
    "versions",
]

STDIN = "-"
_FORMATS: tuple[Format, ...] = (
    AgentflowsRun(),
    ClaudeCode(),
    TauBench(),
    Tau2Bench(),
    InterCode(),
    Messages(),
)
"""In the order they are tried; no record is recognised by two."""


def formats() -> list[str]:
    """The names `source` may have: `auto`, then the formats."""
    return ["auto", *(native.name for native in _FORMATS)]


def versions() -> list[str]:
    """What `Session.reader` says of sessions read today: each format with the version of its reader."""
    return [f"{native.name}/{native.version}" for native in _FORMATS]


def unreadable(path: Path | str, reason: str) -> SourceRead:
    """What comes of a file that cannot be read when it does not stand alone: itself, quarantined."""
    return SourceRead(
        file=str(path),
        sha256=hashlib.sha256(f"unreadable\0{path}\0{reason}".encode(errors="surrogateescape")).hexdigest(),
        format=UNKNOWN,
        lines=1,
        accepted=0,
        quarantined=(Quarantined(str(path), 1, reason, ""),),
    )


def read(
    path: Path | str,
    *,
    source: str = "auto",
    redactor: Redacts | None = None,
    stdin: BinaryIO | None = None,
    alone: bool | None = None,
    limits: Limits | None = None,
) -> Iterator[SourceRead]:
    """Read a file, a folder or standard input; one `SourceRead` per file.

    Args:
        path: a file (of any name, gzipped or not), a folder (see `discover`), or `-`.
        source: the format's name, or `auto` to recognise each file by its contents.
        redactor: replaces secrets; None replaces none.
        stdin: what `-` reads; None is the process's standard input.
        alone: whether a file that is no session log is an error; otherwise it is quarantined as a whole, so that
            it does not stop the others. None: an error unless `path` is a folder.
        limits: what one file may cost; None is what genuine logs never reach.

    Raises:
        UsageError: there is no format of that name.
        NotFoundError: there is nothing at the path.
        ReaderError: a file cannot be opened or read, or is no session log and was named alone.
    """
    natives = _named(source)
    redactor = redactor or NoRedaction()
    limits = limits or Limits()
    if str(path) == STDIN:
        with source_of(STDIN, stdin or sys.stdin.buffer, limits) as opened:
            found = take_in(opened, natives, redactor, alone=alone is not False)
        yield found
        return
    root = Path(path).expanduser()
    alone = not root.is_dir() if alone is None else alone
    for file in discover(root):
        yield _read_file(file, natives, redactor, limits, alone=alone)


def read_raw(file: str, format: str, lines: Sequence[RawLine]) -> SourceRead:  # noqa: A002 - the session's word
    """Read again what `SourceRead.raw` kept: the same sessions, from lines that are redacted already.

    Raises:
        UsageError: there is no format of that name.
        ReaderError: a line is damaged.
    """
    if format == UNKNOWN:
        return SourceRead(file=file, sha256="", format=format, lines=0, accepted=0)
    return take_back(file, _named(format)[0], stem(file), lines)


def discover(path: Path | str) -> list[Path]:
    """The files of a `survey`.

    Raises:
        NotFoundError: there is nothing at the path, or no such file in the folder.
        ReaderError: the folder itself cannot be looked into.
    """
    return list(survey(path).files)


def _named(source: str) -> tuple[Format, ...]:
    chosen = tuple(native for native in _FORMATS if source in {"auto", native.name})
    if not chosen:
        msg = f"Expected a format from {formats()}, found {source!r}. Use one of them."
        raise UsageError(msg)
    return chosen


def _read_file(
    file: Path, natives: Sequence[Format], redactor: Redacts, limits: Limits, *, alone: bool
) -> SourceRead:
    try:
        with open_source(file, limits) as opened:
            return take_in(opened, natives, redactor, alone=alone)
    except ReaderError as error:
        if alone:
            raise
        return unreadable(file, str(error))
