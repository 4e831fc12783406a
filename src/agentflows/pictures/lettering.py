"""Lettering: how wide text is, what of it fits, and text from outside made fit to be drawn.

The width of text is known only where it is drawn. It is reckoned here with the widths of DejaVu Sans, the widest of
the fonts that browsers choose, so that what fits here fits everywhere.
"""

import unicodedata
from functools import lru_cache

from agentflows.marks import one_line

_WIDTHS = {
    0.30: "'ijl!|",
    0.34: " ,.:;/\\IJ",
    0.42: '()[]tfr-"',
    0.55: "*_`sz?cL",
    0.62: "FkvxyTYaoPe",
    0.65: "bdghnpqu$0123456789{}ESK",
    0.72: "AVBRXZCU",
    0.80: "HNDG&OQw",
    0.88: "#+<=>^~M",
    1.00: "%mW@",
}
_WIDTH_OF = {char: width for width, chars in _WIDTHS.items() for char in chars}
_BOLD = 1.12
_ELSEWHERE = 0.85
"""Of a letter outside ASCII."""
_MARKS_PER_LETTER = 2
"""Combining marks that may stand on one letter: more only pile up over the neighbours."""
_LONGEST = 400


@lru_cache(maxsize=4_000)
def _width_of(char: str) -> float:
    known = _WIDTH_OF.get(char)
    if known is not None:
        return known
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0.0
    return 1.1 if unicodedata.east_asian_width(char) in "WF" else _ELSEWHERE


def width(text: str, size: float, *, is_bold: bool = False) -> float:
    """At most so many units is `text` wide at a font size."""
    return sum(map(_width_of, text)) * size * (_BOLD if is_bold else 1.0)


def cut(text: str, room: float, size: float, *, is_bold: bool = False) -> str:
    """What of `text` fits into `room`, with `…` where something is left out; "" where not even that fits."""
    if width(text, size, is_bold=is_bold) <= room:
        return text
    left = room - width("…", size, is_bold=is_bold)
    kept = 0
    for kept, char in enumerate(text):  # noqa: B007 - what is left of it is the point
        left -= width(char, size, is_bold=is_bold)
        if left < 0:
            break
    return text[:kept].rstrip() + "…" if kept else ""


def wrap(text: str, room: float, size: float) -> list[str]:
    """The text on one line, or on two, the second cut; between words where that leaves the first not too short."""
    if width(text, size) <= room:
        return [text]
    whole = cut(text, room + width("…", size), size).removesuffix("…")
    space = whole.rfind(" ")
    first = whole[:space] if space > 0.4 * len(whole) else whole
    while width(first, size) > room:
        first = first[:-1]
    return [first, cut(text[len(first) :].lstrip(), room, size)]


def clean(text: str) -> str:
    """Text from outside on one line, as what it is: nothing hidden, nothing turned around, no piled-up marks."""
    shown: list[str] = []
    marks = 0
    for char in one_line(text[: 10 * _LONGEST], _LONGEST):
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if marks <= _MARKS_PER_LETTER:
            shown.append(char)
    return "".join(shown)
