r"""Rubrics from Markdown.

    # Changelog entry                                     the title
    Grade CHANGELOG.md only.                              guidance: prose outside lists goes to the grader as it is

    ## Form                                               headings group the criteria below them
    - **dated**: The entry carries its date.              a criterion; the id in bold or backticks is optional
      Evidence: the heading of the entry                  what the grader must quote
    - The file is valid Markdown. (check)                 code decides
      ```check command
      markdownlint CHANGELOG.md
      ```
    - The entry links its pull request. (optional, weight 2)
      check: regex CHANGELOG.md `\(#\d+\)`               a check in one line
    - A maintainer likes the tone. (human)

A bare list is a rubric: each item is then required and judged by a model. Front matter may hold `title` and
`threshold`. A thematic break (`---`) ends a group, HTML comments are not read, and a list inside a quote (`>`) is
guidance.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from agentflows.errors import NotFoundError
from agentflows.memory import Entry, parse_entries, sha256
from agentflows.rubric.item import read_item
from agentflows.rubric.problem import refuse
from agentflows.rubric.words import Criterion, Rubric

MAX_RUBRIC_CHARS = 262_144
"""Hosted limit on `rubric.content`."""
ID_CHARS = 40
"""An id made of a criterion's words ends at the last whole word within so many characters."""

_BREAK = re.compile(r"\r\n|\r")
_RULE = re.compile(r"\A {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*\Z")
_FENCE = re.compile(r"\A {0,3}(`{3,}|~{3,})")
_OPEN_HTML = [
    (re.compile(r"\A\s*<!--"), "-->"),
    (re.compile(r"\A\s*<(?:pre|script|style|textarea)\b", re.IGNORECASE), "</"),
    (re.compile(r"\A\s*<\?"), "?>"),
    (re.compile(r"\A\s*<!\[CDATA\["), "]]>"),
    (re.compile(r"\A\s*<![A-Za-z]"), ">"),
]
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass
class _Draft:
    """The rubric as far as it has been read."""

    source: str
    title: str = ""
    threshold: float = 1
    group: str = ""
    guidance: list[str] = field(default_factory=list[str])
    has_shown_group: bool = False
    """Whether the group's heading stands in the guidance already."""
    found: list[tuple[str, Criterion]] = field(default_factory=list[tuple[str, Criterion]])


def parse_rubric(markdown: str, *, source: str = "") -> Rubric:
    """Read a rubric; the module's docstring has the format.

    Args:
        markdown: the text, any line breaks.
        source: the file it came from, for errors and on record.

    Raises:
        RubricError: it cannot be graded as written; the message names file, line, what was expected and a fix.
    """
    _check_text(markdown, source)
    text = _BREAK.sub("\n", markdown.removeprefix("\ufeff"))
    draft = _Draft(source)
    for entry in parse_entries(source, text):
        _take(entry, text.count("\n", 0, entry.start) + 1, draft)
    if not draft.found:
        refuse(
            source,
            0,
            "expected at least one criterion, found none",
            "Write each as a list item: `- The entry names the version.`",
        )
    return Rubric(
        title=draft.title,
        guidance="\n\n".join(draft.guidance),
        criteria=_with_ids(draft),
        threshold=draft.threshold,
        text=markdown,
        sha256=sha256(markdown),
        source=source,
    )


def read_rubric(path: Path | str) -> Rubric:
    """Read a rubric from a file.

    Raises:
        NotFoundError: there is no such file.
        RubricError: it is no UTF-8 text, or `parse_rubric` refuses it.
    """
    place = Path(path)
    if not place.is_file():
        msg = f"Expected a rubric, found no file {str(path)!r}. Write one, or `agentflows rubric draft` one."
        raise NotFoundError(msg)
    try:
        text = place.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(
            str(path),
            0,
            f"expected UTF-8 text, found the byte {error.start} that is none",
            "Save it as UTF-8.",
        )
    return parse_rubric(text, source=str(path))


RubricLike = Rubric | str | Path
"""A rubric, the path of its file, or its Markdown: a text of several lines, or one that is a list item."""


def as_rubric(rubric: RubricLike) -> Rubric:
    """The rubric, read where it is given as a file or as Markdown.

    Raises:
        NotFoundError: there is no such file.
        RubricError: it cannot be graded as written.
    """
    if isinstance(rubric, Rubric):
        return rubric
    if isinstance(rubric, str) and ("\n" in rubric or rubric.startswith(("- ", "* "))):
        return parse_rubric(rubric)
    return read_rubric(rubric)


def _check_text(markdown: str, source: str) -> None:
    if len(markdown) > MAX_RUBRIC_CHARS:
        refuse(
            source,
            0,
            f"expected at most {MAX_RUBRIC_CHARS:,} characters, found {len(markdown):,}",
            "Shorten it; what many criteria share belongs into the task.",
        )
    for place, char in enumerate(markdown):
        if char == "\x00" or "\ud800" <= char <= "\udfff":
            line = markdown.count("\n", 0, place) + 1
            refuse(source, line, f"expected text, found the character U+{ord(char):04X}", "Leave it out.")


# -- blocks --------------------------------------------------------------------------------------------------


def _take(entry: Entry, line: int, draft: _Draft) -> None:
    if entry.kind == "front_matter":
        _front_matter(entry.text, draft)
    elif entry.kind == "heading":
        _heading(entry, draft)
    elif entry.kind == "list_item":
        given, criterion = read_item(entry.text, line=line, source=draft.source)
        draft.found.append((given, criterion.model_copy(update={"group": draft.group})))
    elif _RULE.match(entry.text):
        draft.group, draft.has_shown_group = "", False
    else:
        _prose(entry, line, draft)


def _heading(entry: Entry, draft: _Draft) -> None:
    words = heading_words(entry.text)
    is_first = not (draft.title or draft.found or draft.guidance or draft.group)
    is_title = is_first and (re.match(r" {0,3}#(?!#)", entry.text) or entry.text.rstrip().endswith("="))
    if is_title:
        draft.title = words
    else:
        draft.group, draft.has_shown_group = words, False


def heading_words(text: str) -> str:
    """What a heading says, without its marks."""
    lines = text.strip().split("\n")
    if len(lines) > 1 and re.fullmatch(r"\s*(=+|-+)\s*", lines[-1]):
        return " ".join(" ".join(lines[:-1]).split())
    words = re.sub(r"\A#{1,6}(?:[ \t]+|\Z)", "", lines[0])
    return " ".join(re.sub(r"(?:\A|[ \t]+)#+[ \t]*\Z", "", words).split())


def _prose(entry: Entry, line: int, draft: _Draft) -> None:
    text = entry.text
    if entry.kind == "code" and (fence := _FENCE.match(text)):
        last = text.split("\n")[-1].strip()
        if "\n" not in text or set(last) != {fence[1][0]} or len(last) < len(fence[1]):
            refuse(
                draft.source,
                line,
                "expected the end of the fenced block, found none",
                f"Close it by {fence[1]}.",
            )
    if entry.kind == "html":
        for opening, closing in _OPEN_HTML:
            if opening.match(text) and closing not in text:
                refuse(
                    draft.source, line, f"expected {closing!r} after {text[:20]!r}, found none", "Close it."
                )
        text = _COMMENT.sub("", text).strip("\n")
    if not text.strip():
        return
    if draft.group and not draft.has_shown_group:
        draft.guidance.append(f"**{draft.group}**")
        draft.has_shown_group = True
    draft.guidance.append(text)


_KEYS = ("title", "threshold")


def _front_matter(text: str, draft: _Draft) -> None:
    for place, raw in enumerate(text.split("\n")[1:-1], start=2):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or key not in _KEYS:
            refuse(
                draft.source,
                place,
                f"expected {' or '.join(f'`{name}: …`' for name in _KEYS)} in the front matter, found {line!r}",
                "Move what is for the grader below the front matter.",
            )
        value = _unquoted(value)
        if key == "title":
            draft.title = " ".join(value.split())
        else:
            draft.threshold = _threshold(value, place, draft.source)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _threshold(value: str, line: int, source: str) -> float:
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        number = 0
    if not 0 < number <= 1:
        refuse(
            source,
            line,
            f"expected a threshold above 0 and up to 1, found {value!r}",
            "It is the weighted share of criteria that is enough: 0.8 or 80%.",
        )
    return number


# -- ids -----------------------------------------------------------------------------------------------------


def _with_ids(draft: _Draft) -> tuple[Criterion, ...]:
    """Give each criterion without an id one made of its words; two equal ones of the author's are refused."""
    taken: dict[str, int] = {}
    for given, criterion in draft.found:
        if given and given in taken:
            refuse(
                draft.source,
                criterion.line,
                f"expected an id that is used once, found {given!r}, which line {taken[given]} has already",
                "Rename one of them.",
            )
        if given:
            taken[given] = criterion.line
    done: list[Criterion] = []
    for given, criterion in draft.found:
        name = given or _free(words_id(criterion.text), taken)
        taken[name] = criterion.line
        done.append(criterion if given else criterion.model_copy(update={"criterion_id": name}))
    return tuple(done)


def _free(name: str, taken: dict[str, int]) -> str:
    number = 1
    while (name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return name if number == 1 else f"{name}-{number}"


def words_id(text: str) -> str:
    """An id made of the first words of a text: lower case, joined by hyphens, at most `ID_CHARS` characters."""
    plain = unicodedata.normalize("NFKC", text).lower()
    words = re.findall(r"\w+", plain)
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word[:ID_CHARS]
        if len(longer) > ID_CHARS:
            break
        name = longer
    return name or "criterion"
