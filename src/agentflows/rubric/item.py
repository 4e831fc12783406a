"""One list item of a rubric, read as one criterion.

Its first paragraph is the criterion. What may stand in it besides: an id (bold or in backticks, before a colon, a
dash or a capital), markers in round brackets before or after the words, `Evidence:` and `check:` lines, fences whose
info string starts with `check`. Whatever else is nested belongs to the criterion's text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from agentflows.rubric.checking import parse_check
from agentflows.rubric.problem import refuse
from agentflows.rubric.words import Check, Criterion, Judging

MAX_CHECKS = 1

_ID = re.compile(
    r"\A(?:\*\*(?P<bold>[\w-]{1,64})(?P<colon>:?)\*\*|`(?P<code>[\w-]{1,64})`)(?P<sep>\s*(?::|—|–|-(?=\s))\s*|\s+|\Z)"
)
_MARK = r"check|judge|human|optional|required|weight\b[^()]*"
_BEFORE = re.compile(rf"\A\(\s*((?:{_MARK})(?:\s*,\s*(?:{_MARK}))*)\s*\)\s*", re.IGNORECASE)
_AFTER = re.compile(
    rf"\s*\(\s*((?:{_MARK})(?:\s*,\s*(?:{_MARK}))*)\s*\)\s*(?P<stop>[.;]?)\s*\Z", re.IGNORECASE
)
_WEIGHT = re.compile(r"weight\s*[:=]?\s*(\S+)", re.IGNORECASE)
_EVIDENCE = re.compile(
    r"\A(?:\*\*|__|\*|_)?evidence(?::(?:\*\*|__|\*|_)?|(?:\*\*|__|\*|_):)\s*", re.IGNORECASE
)
_CHECK_LINE = re.compile(
    r"\A(?:\*\*|__|\*|_)?check(?::(?:\*\*|__|\*|_)?|(?:\*\*|__|\*|_):)\s*", re.IGNORECASE
)
_CHECK_FENCE = re.compile(r"\Acheck(?:\s+|\Z)", re.IGNORECASE)
_TASK_BOX = re.compile(r"\A\[[ xX]\]\s+")
_WORDS = frozenset({"paragraph_open", "heading_open", "html_block"})
"""Blocks a criterion may begin with; a line that begins with a tag is HTML to Markdown."""
_ITEM_CHILD = 2
"""The level of a block that stands directly in a list item."""

_parser = MarkdownIt("commonmark").enable("table")


@dataclass
class _Parts:
    """What has been read of an item so far."""

    source: str
    line: int
    """1-based line of the rubric the item starts on."""
    text: list[str] = field(default_factory=list[str])
    evidence: list[str] = field(default_factory=list[str])
    checks: list[Check] = field(default_factory=list[Check])
    marks: list[str] = field(default_factory=list[str])

    def refuse(self, problem: str, remedy: str, *, below: int = 0) -> None:
        """Say what is wrong with line `below` (0-based) of the item."""
        refuse(self.source, self.line + below, problem, remedy)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block directly in an item."""

    kind: str
    """markdown-it's name of its first token."""
    content: str
    """A paragraph's or heading's inline text, a fence's body, else the source, its indent taken off."""
    info: str
    first: int
    """0-based line within the item."""
    tokens: tuple[Token, ...]


def read_item(text: str, *, line: int, source: str) -> tuple[str, Criterion]:
    r"""Read one top-level list item.

    Args:
        text: the item as it stands in the file, line breaks as `\n`.
        line: 1-based, where it starts.
        source: the file, for errors.

    Returns:
        The id its author gave, or "", and the criterion (with that id).

    Raises:
        RubricError: the item is no criterion that could be graded.
    """
    parts = _Parts(source, line)
    blocks = list(_blocks(text))
    if (
        not blocks
        or blocks[0].kind not in {"paragraph_open", "heading_open"}
        or not blocks[0].content.strip()
    ):
        parts.refuse("expected a criterion, found a list item without words", "Write it after the bullet.")
    given = _first_paragraph(blocks[0], parts)
    for block in blocks[1:]:
        _further(block, parts)
    return given, _criterion(given, parts)


def _criterion(given: str, parts: _Parts) -> Criterion:
    words = "\n\n".join(part for part in parts.text if part.strip())
    if not parts.text or not parts.text[0].strip():
        parts.refuse("expected a criterion, found only its markup", "Write what must be true.")
    required, weight = _counting(parts)
    return Criterion(
        criterion_id=given,
        text=words,
        judging=_judging(parts),
        required=required,
        weight=weight,
        evidence=" ".join(parts.evidence),
        check=parts.checks[0] if parts.checks else None,
        line=parts.line,
    )


# -- blocks --------------------------------------------------------------------------------------------------


def _blocks(text: str) -> Iterator[_Block]:
    """The blocks directly in the item, in order."""
    tokens = _parser.parse(text)
    lines = text.split("\n")
    level = _ITEM_CHILD
    start = 0
    for place, token in enumerate(tokens):
        if token.level != level or token.nesting < 0 or token.type == "inline":
            continue
        start = place
        inner = tokens[start + 1 : _end(tokens, start)] if token.nesting > 0 else []
        first, last = token.map or (0, 0)
        yield _Block(token.type, _content(token, inner, lines[first:last]), token.info, first, tuple(inner))


def _end(tokens: Sequence[Token], start: int) -> int:
    level = tokens[start].level
    return next(
        place
        for place in range(start + 1, len(tokens))
        if tokens[place].level == level and tokens[place].nesting < 0
    )


def _content(token: Token, inner: Sequence[Token], lines: Sequence[str]) -> str:
    if token.type in {"paragraph_open", "heading_open"}:
        return inner[0].content
    if token.type in {"fence", "code_block"}:
        return token.content
    if token.type == "html_block" and token.map and token.map[0] == 0:
        return token.content.rstrip("\n")  # its source would begin with the bullet
    return "\n".join(_dedented(lines)).strip("\n")


def _dedented(lines: Sequence[str]) -> list[str]:
    """The lines without the indent of the first, or what they have of it; tabs count as Markdown counts them."""
    wide = [line.expandtabs(4).rstrip(" ") for line in lines]
    indent = len(wide[0]) - len(wide[0].lstrip(" ")) if wide else 0
    return [line[min(indent, len(line) - len(line.lstrip(" "))) :] for line in wide]


def _first_paragraph(block: _Block, parts: _Parts) -> str:
    """Take the criterion's words; what follows them as `Evidence:` or `check:` lines is read as such."""
    lines = block.content.split("\n")
    ends = next((place for place in range(1, len(lines)) if _is_said(lines[place])), len(lines))
    words = _TASK_BOX.sub("", _joined(lines[:ends]))
    given, words = _with_id(words)
    parts.text.append(_without_marks(words, parts))
    _said_lines(lines[ends:], block.first + ends, parts)
    return given


def _further(block: _Block, parts: _Parts) -> None:
    if block.kind == "fence" and _CHECK_FENCE.match(block.info):
        header = _CHECK_FENCE.sub("", block.info.strip(), count=1)
        _add_check(header, block.content, block.first, parts)
    elif block.kind in {"fence", "code_block"}:
        parts.text.append(fenced(block.content.rstrip("\n"), block.info.strip()))
    elif block.kind == "paragraph_open":
        lines = block.content.split("\n")
        ends = next((place for place, line in enumerate(lines) if _is_said(line)), len(lines))
        if ends:
            parts.text.append(_joined(lines[:ends]))
        _said_lines(lines[ends:], block.first + ends, parts)
    elif block.kind in {"bullet_list_open", "ordered_list_open"}:
        _nested_list(block, parts)
    else:
        parts.text.append(block.content)


def _nested_list(block: _Block, parts: _Parts) -> None:
    """Items that say evidence or check are read as such; the others stay text."""
    kept: list[str] = []
    for first, item in _nested_items(block):
        inner = list(_blocks(item))
        words = inner[0].content.split("\n") if inner and inner[0].kind == "paragraph_open" else [""]
        if not _is_said(words[0]):
            kept.append(item)
            continue
        fences = [one for one in inner[1:] if one.kind == "fence"]
        if len(fences) != len(inner) - 1 or len(fences) > 1:
            parts.refuse(
                f"expected one line or one fenced block, found more under {words[0]!r}",
                "Write it as one line, or as one block.",
                below=block.first + first,
            )
        body = fences[0].content if fences else None
        _said_lines(words, block.first + first, parts, body=body)
    if kept:
        parts.text.append("\n".join(kept))


def _nested_items(block: _Block) -> Iterator[tuple[int, str]]:
    """Each item of a nested list with its first line in the list."""
    lines = block.content.split("\n")
    for token in _parser.parse(block.content):
        if token.type == "list_item_open" and token.level == 1 and token.map:
            first, last = token.map
            yield first, "\n".join(lines[first:last]).rstrip()


# -- evidence and checks -------------------------------------------------------------------------------------


def _is_said(line: str) -> bool:
    return bool(_EVIDENCE.match(line.strip()) or _CHECK_LINE.match(line.strip()))


def _said_lines(lines: Sequence[str], first: int, parts: _Parts, *, body: str | None = None) -> None:
    """Read lines that say evidence or check; a line that says neither goes on with the one before it."""
    said: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        if _is_said(line):
            said.append((first + place, line.strip()))
        else:
            said[-1] = (said[-1][0], f"{said[-1][1]} {line.strip()}")
    for below, line in said:
        found = _EVIDENCE.match(line)
        if found and not line[found.end() :].strip():
            parts.refuse(
                "expected what the grader must quote after `Evidence:`, found nothing",
                "Name it.",
                below=below,
            )
        if found:
            parts.evidence.append(" ".join(line[found.end() :].split()))
        else:
            _add_check(_CHECK_LINE.sub("", line), body, below, parts)


def _add_check(header: str, body: str | None, below: int, parts: _Parts) -> None:
    def no(problem: str, remedy: str) -> Any:
        parts.refuse(problem, remedy, below=below)

    if len(parts.checks) == MAX_CHECKS:
        no(
            "expected one check per criterion, found a second",
            "Make two criteria of it, or join two commands by &&.",
        )
    parts.checks.append(parse_check(header, body, no))


# -- id and markers ------------------------------------------------------------------------------------------


def _joined(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


def _with_id(words: str) -> tuple[str, str]:
    """The id the author gave, and the rest.

    A bold or code word that goes on in lower case without a separator is part of the sentence: "`README` names …".
    """
    found = _ID.match(words)
    if not found:
        return "", words
    rest = words[found.end() :]
    separated = bool(found["sep"].strip() or found["colon"])
    begins = rest[:1].isupper() or rest[:1] in {"(", "`", "*", '"', "“"} or _BEFORE.match(rest)
    if not separated and not begins:
        return "", words
    return found["bold"] or found["code"], rest


def _without_marks(words: str, parts: _Parts) -> str:
    """The words without the markers before and after them, which are noted."""
    while found := _BEFORE.match(words):
        parts.marks.extend(_marks(found[1]))
        words = words[found.end() :]
    while found := _AFTER.search(words):
        parts.marks[:0] = _marks(found[1])
        words = words[: found.start()] + (
            "" if words[: found.start()].endswith((".", ";")) else found["stop"]
        )
    return words.strip()


def _marks(text: str) -> list[str]:
    return [mark.strip().lower() for mark in text.split(",")]


def _judging(parts: _Parts) -> Judging:
    said: set[str] = {mark for mark in parts.marks if mark in {"check", "judge", "human"}}
    if len(said) > 1:
        parts.refuse(f"expected one judge, found {' and '.join(sorted(said))}", "Keep one of the markers.")
    if parts.checks and said - {"check"}:
        parts.refuse(
            f"expected no check under ({said.pop()}), found one",
            "Drop the marker, or make two criteria of it.",
        )
    if said == {"check"} and not parts.checks:
        parts.refuse(
            "expected a check under (check), found none",
            "Add a nested line such as `check: exists CHANGELOG.md`, or drop (check) to have a model judge it.",
        )
    if parts.checks:
        return "check"
    return "human" if "human" in said else "judge"


def _counting(parts: _Parts) -> tuple[bool, float]:
    """Whether the criterion is required, and its weight."""
    if {"optional", "required"} <= set(parts.marks):
        parts.refuse("expected optional or required, found both", "Keep one of the markers.")
    weights = [mark for mark in parts.marks if mark.startswith("weight")]
    if len(weights) > 1:
        parts.refuse(f"expected one weight, found {len(weights)}", "Keep one of them.")
    weight = 1.0
    if weights:
        found = _WEIGHT.fullmatch(weights[0])
        try:
            weight = float(found[1]) if found else 0
        except ValueError:
            weight = 0
        if not 0 < weight < float("inf"):
            parts.refuse(
                f"expected a weight above 0, found {weights[0]!r}",
                "Write for instance (weight 2); what must not count is (optional, weight 0.1) or no criterion.",
            )
    return "optional" not in parts.marks, weight


def fenced(body: str, info: str = "") -> str:
    """A fenced code block that its body cannot close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{info}\n{body}\n{fence}" if body else f"{fence}{info}\n{fence}"
