"""Marks: what agentflows itself says inside text that others wrote, so that nobody can say it for us.

Everything of ours stands in `⟦ ⟧`. These two characters never get through from the outside, so a
transcript cannot fake a turn header, an elision or the end of the material. What a reader would not
see (control, direction, zero-width and tag characters, terminal codes) is written out.
"""

import re
import unicodedata

from agentflows.memory import sha256

_SUSPECT = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[^\t\n\x20-\x7e]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = "⟦⟧"
_SUPPLEMENTARY_SELECTORS = range(0xE0100, 0xE01F0)
"""Variation selectors no script needs here: bytes can be smuggled in them. (U+FE0F is plain emoji.)"""


def mark(text: str) -> str:
    """One mark of ours. What comes from outside goes through `one_line` first."""
    return f"⟦{text}⟧"


def reveal(text: str) -> str:
    """The text with every hidden character and every false mark written out, and all else untouched.

    A stretch without such characters comes back as it was, so what is quoted from it is verbatim.
    """
    return _SUSPECT.sub(_reveal_one, text)


def one_line(text: str, limit: int) -> str:
    """Outside text for use inside a mark: revealed, on one line, at most `limit` characters and `…`."""
    folded = " ".join(reveal(text).translate({ord("⟦"): "<", ord("⟧"): ">"}).split())
    return folded if len(folded) <= limit else folded[:limit].rstrip() + "…"


def fence_for(material: str) -> str:
    """A line that the material cannot hold: derived from the material itself, so it cannot be foreseen.

    The same material always gets the same fence, which keeps a render repeatable.
    """
    fence = sha256(material)[:12]
    while fence in material:
        fence = sha256(fence + material)[:12]
    return fence


def _reveal_one(found: re.Match[str]) -> str:
    char = found.group()
    if len(char) > 1:
        return mark("ansi")
    code = ord(char)
    hidden = unicodedata.category(char) in _HIDDEN or code in _SUPPLEMENTARY_SELECTORS
    return mark(f"U+{code:04X}") if hidden or char in _MARKS else char
