"""Other ways to read a text in which a secret may hide, each with the way back to the original characters."""

import base64
import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agentflows.redaction.rule import Span, compiled

_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\uff01-\uff5e\U0001d400-\U0001d7ff\U000e0000-\U000e007f]"
)
"""Characters that show as nothing, and look-alikes of ASCII."""

_ESCAPE = re.compile(
    r"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|["'\\/bfnrt])"""
)
_SHORT = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NESTING = 3
"""How many times over a text may be JSON-escaped: a log line in a JSON string in a JSON string."""


class _Fold(dict[int, int | None]):
    """Code point to its plain form: nothing for the invisible, ASCII for its look-alikes. Fills itself."""

    def __missing__(self, point: int) -> int | None:
        char = chr(point)
        plain: int | None = point
        if _HIDDEN.match(char):
            folded = unicodedata.normalize("NFKC", char)
            plain = ord(folded) if len(folded) == 1 and folded != char else None
        self[point] = plain
        return plain


_FOLD = _Fold()


@dataclass(frozen=True, slots=True)
class View:
    """A text and where each of its characters stands in the original."""

    text: str
    places: Callable[[], list[int]] | None = None
    """Made only when something was found: for each character its original offset, then the original length."""

    def original(self, spans: list[Span]) -> list[Span]:
        """The same spans in the original text."""
        if self.places is None:
            return spans
        places = self.places()
        return [(places[start], places[end]) for start, end in spans]


def views(text: str) -> Iterator[View]:
    """The text itself, then without invisible and full-width characters, then JSON-unescaped up to three times."""
    view = View(text)
    yield view
    if not text.isascii() and _HIDDEN.search(text):
        view = View(text.translate(_FOLD), functools.partial(_fold_places, text))
        yield view
    for _ in range(_NESTING):
        if "\\" not in view.text or not _ESCAPE.search(view.text):
            return
        view = _unescaped(view)
        yield view


def _fold_places(text: str) -> list[int]:
    return [i for i, char in enumerate(text) if _FOLD[ord(char)] is not None] + [len(text)]


def _unescaped(view: View) -> View:
    text = view.text
    return View(_ESCAPE.sub(_character, text), functools.partial(_unescaped_places, view))


def _unescaped_places(escaped: View) -> list[int]:
    places: list[int] = []
    position = 0
    for match in _ESCAPE.finditer(escaped.text):
        places.extend(range(position, match.start() + 1))
        position = match.end()
    places.extend(range(position, len(escaped.text) + 1))
    if escaped.places is None:
        return places
    outer = escaped.places()
    return [outer[place] for place in places]


def _character(match: re.Match[str]) -> str:
    body = match.group()[1:]
    if len(body) == 1:
        return _SHORT[body]
    units = [int(part, 16) for part in body[1:].split("\\u")]
    if len(units) == 2:
        return chr(0x10000 + ((units[0] - 0xD800) << 10) + (units[1] - 0xDC00))
    return chr(units[0])


# Base64 of ASCII has a zero where each byte's top bit goes, so each group of four characters can only use these:
# chance lets a group of random characters pass one time in ten, and six groups in a row one time in a million.
BASE64 = r"(?:[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-](?:\r?\n)?){6,}(?:[A-Za-z0-9+/_-]{2,3}={0,2})?"
"""Text in base64, at least 18 bytes, possibly over several lines, in the standard or the URL alphabet."""

_BASE64 = compiled(BASE64)


def _spans(regex: Any, text: str) -> Iterator[Span]:
    """Every match. RE2 looks at bytes; for text it gives offsets in characters."""
    for match in regex.finditer(text):
        yield match.span()


_URL_ALPHABET = str.maketrans("-_", "+/")


def decoded(text: str) -> Iterator[View]:
    """Each stretch of base64 as what it says, if that is text."""
    for start, end in _spans(_BASE64, text):
        kept = [i for i in range(start, end) if text[i] not in "\r\n="]
        code = "".join(text[i] for i in kept).translate(_URL_ALPHABET)
        if len(code) % 4 == 1:
            code, kept = code[:-1], kept[:-1]
        plain = base64.b64decode(code + "=" * (-len(code) % 4)).decode("ascii", "replace")
        yield View(plain, functools.partial(_base64_places, kept, len(plain), end))


def _base64_places(kept: list[int], size: int, end: int) -> list[int]:
    """A byte shares its characters with its neighbours, so spans grow to whole groups of four."""
    return [kept[i // 3 * 4] for i in range(size)] + [end]


_RUN = r"[A-Za-z0-9_.+/=~-]"
_PREFIXES = r"(?:sk-|[rs]k_|gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]|xapp-|AKIA|ASIA|AIza|ya29\.|eyJ|hf_|npm_|pypi-|whsec_|SG\.)"
WRAPPED = rf"\b{_PREFIXES}{_RUN}*\\?\r?\n[ \t]*{_RUN}"
"""The beginning of a known token that runs to the end of its line, and a line that may go on with it."""

_WRAPPED = compiled(WRAPPED)
_LINES = re.compile(rf"{_RUN}+(?:\\?\r?\n[ \t]*{_RUN}+){{1,40}}")
_PIECE = re.compile(rf"{_RUN}+")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A token broken over lines, joined."""

    view: View
    first: int
    """Characters on its first line."""
    second: str
    """What stands on its second line."""


def unwrapped(text: str) -> Iterator[Wrapped]:
    """Each known token that may go on in the next line."""
    for start, _ in _spans(_WRAPPED, text):
        lines = _LINES.match(text, start)
        if lines is None:
            continue
        pieces = [m.span() for m in _PIECE.finditer(text, lines.start(), lines.end())]
        while len(pieces) > 1 and not _goes_on(text[slice(*pieces[-1])]):
            pieces.pop()
        if len(pieces) > 1:
            places = [i for start, end in pieces for i in range(start, end)]
            view = View("".join(text[i] for i in places), functools.partial(_joined_places, places))
            yield Wrapped(view, pieces[0][1] - pieces[0][0], text[slice(*pieces[1])])


def _joined_places(places: list[int]) -> list[int]:
    return [*places, places[-1] + 1]


def _goes_on(piece: str) -> bool:
    """The rest of a token has digits or capitals within; an ordinary word has not."""
    return any(c.isdigit() for c in piece) or not (piece.islower() or piece.istitle() or piece.isupper())
