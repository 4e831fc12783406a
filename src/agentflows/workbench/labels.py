"""Labels: who said of which item that which criterion is met. A CSV file anyone can make in a spreadsheet.

    item,criterion,rater,met
    entry-1,dated,ada,met
    entry-1,dated,grace,unmet

`item` names what was graded, `criterion` an id of the rubric, `rater` a person (or the grader), `met` is met, unmet or
cannot_tell; yes and no, true and false, 1 and 0 are understood. The same line again by the same rater is a second
grading. An empty `met` is a missing value. Other columns are ignored.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, ConfigDict

from agentflows.errors import NotFoundError, RubricError
from agentflows.evaluation import Met
from agentflows.rubric import Rubric

COLUMNS = ("item", "criterion", "rater", "met")
WORDS: dict[str, Met] = {
    "met": "met", "yes": "met", "y": "met", "true": "met", "1": "met", "pass": "met", "passed": "met",
    "unmet": "unmet", "no": "unmet", "n": "unmet", "false": "unmet", "0": "unmet", "fail": "unmet", "failed": "unmet",
    "not met": "unmet", "cannot_tell": "cannot_tell", "cannot tell": "cannot_tell", "unsure": "cannot_tell", "?": "cannot_tell",
}  # fmt: skip
"""What may stand in the column `met`."""


class Label(BaseModel):
    """One verdict by one rater."""

    model_config = ConfigDict(frozen=True)

    item: str
    criterion: str
    rater: str
    met: Met
    line: int = 0
    """1-based line of the file; 0 when it came from elsewhere."""


def parse_labels(text: str, rubric: Rubric, *, source: str = "labels") -> list[Label]:
    """Read labels from CSV with comma, semicolon or tab.

    Raises:
        RubricError: a column is missing, a criterion is not in the rubric, or a value is none; with the line.
    """
    known = {criterion.criterion_id for criterion in rubric.criteria}
    lines = text.removeprefix("\ufeff")
    first = lines.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, list[str]())]
        _check_header(header, source)
        found = list(_rows(reader, header, known, source))
    except csv.Error as error:
        _refuse(
            source, reader.line_num, f"expected CSV, found a mistake in it ({error})", "Mend or re-export it."
        )
    if not found:
        _refuse(source, 1, "expected labels below the header, found none", "Add one line per verdict.")
    return found


def read_labels(path: Path | str, rubric: Rubric) -> list[Label]:
    """Read labels from a file.

    Raises:
        NotFoundError: there is no such file.
        RubricError: it is no UTF-8 text, or `parse_labels` refuses it.
    """
    place = Path(path)
    if not place.is_file():
        msg = f"Expected a CSV file of labels, found no file {str(path)!r}. Its columns are {', '.join(COLUMNS)}."
        raise NotFoundError(msg)
    try:
        text = place.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path}: expected UTF-8 text, found byte {error.start} that is none. Save it as CSV in UTF-8."
        raise RubricError(msg) from error
    return parse_labels(text, rubric, source=str(path))


def _refuse(source: str, line: int, problem: str, remedy: str) -> NoReturn:
    msg = f"{source}, line {line}: {problem}. {remedy}"
    raise RubricError(msg, line=line)


def _check_header(header: list[str], source: str) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        _refuse(
            source,
            1,
            f"expected the columns {', '.join(COLUMNS)}, found {', '.join(header) or 'none'}",
            f"Add {', '.join(missing)} to the first line.",
        )


def _rows(reader: Iterator[list[str]], header: list[str], known: set[str], source: str) -> Iterator[Label]:
    for row in reader:
        line: int = getattr(reader, "line_num", 0)
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            _refuse(
                source, line, f"expected {len(header)} columns, found {len(row)}", "Fill in what is missing."
            )
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        if not cells["met"]:
            continue
        for name in ("item", "criterion", "rater"):
            if not cells[name]:
                _refuse(source, line, f"expected a value for {name}, found none", "Fill it in.")
        if cells["criterion"] not in known:
            _refuse(
                source,
                line,
                f"expected a criterion of the rubric, found {cells['criterion']!r}",
                f"Its ids are: {', '.join(sorted(known))}.",
            )
        met = WORDS.get(cells["met"].lower())
        if met is None:
            _refuse(
                source,
                line,
                f"expected met, unmet or cannot_tell, found {cells['met']!r}",
                "Write one of them.",
            )
            continue
        yield Label(
            item=cells["item"], criterion=cells["criterion"], rater=cells["rater"], met=met, line=line
        )
