"""One source into one `SourceRead`: every line is accepted or quarantined, and the two add up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import orjson

from agentflows.errors import ReaderError
from agentflows.readers.fields import items, table
from agentflows.readers.format import Building, Format
from agentflows.readers.lines import Line
from agentflows.readers.redacting import Redacts
from agentflows.readers.shape import Damaged, Document, shape_of
from agentflows.readers.source import Source
from agentflows.readers.strict import RefusedError, parse_line
from agentflows.session import Quarantined, RawLine, SourceRead

_SHOWN = 10_000
_LOOKED_AT = 20_000
"""Characters of a bad line that are redacted: more than are kept, so that no secret is cut where the text ends."""
_SAMPLE = 50
"""Records a format is recognised by."""
UNKNOWN = "unknown"


def take_in(source: Source, formats: Sequence[Format], redactor: Redacts, *, alone: bool) -> SourceRead:
    """Read a source with the first of the formats that recognises it; with the only one, if there is but one.

    Args:
        source: the open source.
        formats: the formats it may have.
        redactor: replaces secrets in decoded strings before anything is made of them.
        alone: whether a file of an unknown format is an error, or one more quarantined file among others.

    Raises:
        ReaderError: the format is unknown, and the source was given alone.
    """
    before = dict(redactor.counts)
    intake = _Intake(source, redactor, formats, alone=alone)
    shape = shape_of(source)
    if isinstance(shape, Document):
        _read_document(intake, shape.value)
    elif isinstance(shape, Damaged):
        intake.refuse(shape.reason, shape.data)
    else:
        _read_lines(intake, shape)
    counts = {kind: count - before.get(kind, 0) for kind, count in redactor.counts.items()}
    return intake.result({kind: count for kind, count in counts.items() if count})


def take_back(file: str, native: Format, stem: str, lines: Sequence[RawLine]) -> SourceRead:
    """Read accepted lines, as `SourceRead.raw` keeps them, again. They were redacted before.

    Raises:
        ReaderError: a line is not what was accepted once: the archive's copy is damaged.
    """
    building = native.start(stem)
    for line in lines:
        try:
            records = parse_line(line.text.encode())
        except RefusedError as refused:
            msg = f"Line {line.line} of the archived copy of {file} is damaged: {refused}. Ingest the file again."
            raise ReaderError(msg) from refused
        for record in records:
            building.add(line.line, record)
    return SourceRead(
        file=file,
        sha256="",
        format=native.name,
        lines=len(lines),
        accepted=len(lines),
        sessions=building.sessions(),
        raw=tuple(lines),
    )


@dataclass(slots=True)
class _Item:
    """A line or record on its way in: its records, or why it has none."""

    number: int
    data: bytes
    records: tuple[dict[str, Any], ...] = ()
    refused: str = ""


class _Intake:
    """Accepts and quarantines, keeps and counts."""

    def __init__(self, source: Source, redactor: Redacts, formats: Sequence[Format], *, alone: bool) -> None:
        self.source = source
        self.formats = formats
        self._redactor = redactor
        self._alone = alone
        self._native: Format | None = None
        self._building: Building | None = None
        self._raw: list[RawLine] = []
        self._quarantined: list[Quarantined] = []

    def use(self, native: Format) -> None:
        """Read the source in this format from here on."""
        self._native = native
        self._building = native.start(self.source.stem)

    def take(self, item: _Item) -> None:
        """Accept the item, or quarantine it."""
        if item.refused or self._native is None or self._building is None:
            self.quarantine(item.number, item.refused, item.data)
            return
        native, building = self._native, self._building
        # Slimmed first: what is dropped need not be searched for secrets.
        records = [self._redactor.redact_value(native.slim(record)) for record in item.records]
        refusal = next((why for record in records if (why := building.refusal(record))), "")
        if refusal:
            self.quarantine(item.number, refusal, item.data or orjson.dumps(item.records[0]))
            return
        for record in records:
            building.add(item.number, record)
        self._raw.append(RawLine(item.number, b"".join(map(orjson.dumps, records)).decode()))

    def quarantine(self, number: int, reason: str, data: bytes) -> None:
        """Set a line aside."""
        shown = self._redactor.redact(data[: 4 * _LOOKED_AT].decode(errors="replace")[:_LOOKED_AT])
        self._quarantined.append(Quarantined(self.source.file, number, reason, shown[:_SHOWN]))

    def refuse(self, found: str, data: bytes) -> None:
        """Set the whole source aside, or raise when it is all there was to read.

        Where the caller named the format, the source is that format, only damaged.
        """
        if len(self.formats) == 1:
            self.use(self.formats[0])
        elif self._alone:
            expected = "; ".join(one.example for one in self.formats)
            msg = (
                f"{self.source.file} is in no format agentflows knows: {found}. Expected one of: {expected}. "
                f"Name the format with --source, or convert the file to chat transcripts."
            )
            raise ReaderError(msg)
        self.quarantine(1, f"unknown format: {found}", data)

    def result(self, redactions: dict[str, int]) -> SourceRead:
        """All that came of the source."""
        return SourceRead(
            file=self.source.file,
            sha256=self.source.sha256(),
            format=self._native.name if self._native else UNKNOWN,
            lines=len(self._raw) + len(self._quarantined),
            accepted=len(self._raw),
            sessions=self._building.sessions() if self._building else (),
            quarantined=tuple(self._quarantined),
            raw=tuple(self._raw),
            redactions=redactions,
        )


def _read_document(intake: _Intake, value: Any) -> None:
    """Read a document: its parts are what is accepted or quarantined."""
    for native in intake.formats:
        records = native.unpack(value)
        if records is not None:
            intake.use(native)
            for number, record in enumerate(records, 1):
                intake.take(_part(number, record))
            return
    intake.refuse(_found(value), orjson.dumps(value)[:100_000])


def _part(number: int, record: Any) -> _Item:
    if isinstance(record, dict):
        return _Item(number, b"", (table(record),))
    return _Item(number, orjson.dumps(record), refused="not an object")


def _read_lines(intake: _Intake, lines: Iterator[Line]) -> None:
    """Read a line format; a single line may be a whole document after all."""
    parsed = _parsed(lines, intake.source)
    sample = list(islice(parsed, _SAMPLE))
    records = [record for item in sample for record in item.records]
    known = next((one for one in intake.formats if any(map(one.recognises, records))), None)
    if known is None and len(sample) == 1 and records:
        _read_document(intake, records[0])
        return
    if known is None and len(intake.formats) > 1:
        if sample:
            intake.refuse(_found(records[0]) if records else sample[0].refused, sample[0].data)
        elif intake.source.flaw:
            intake.refuse(intake.source.flaw, b"")
        return
    intake.use(known or intake.formats[0])
    last = _Item(0, b"")
    for item in chain(sample, parsed):
        intake.take(item)
        last = item
    if intake.source.flaw and intake.source.flaw not in last.refused:
        intake.quarantine(last.number + 1, intake.source.flaw, b"")


def _parsed(lines: Iterator[Line], source: Source) -> Iterator[_Item]:
    for line in lines:
        item = _Item(line.number, line.data, refused=line.flaw)
        if not line.flaw:
            try:
                item.records = parse_line(line.data)
            except RefusedError as refused:
                why = source.flaw or str(refused)
                item.refused = (
                    str(refused) if line.ended else f"truncated: the file ends inside this line ({why})"
                )
        yield item


def _found(value: Any) -> str:
    """What an unknown file begins with: the keys of its first record, never its contents."""
    first = items_of[0] if (items_of := items(value)) else value
    if isinstance(first, dict):
        return f"its first record has the keys {[key[:40] for key in sorted(table(first))[:12]]}"
    return "it holds no JSON object"
