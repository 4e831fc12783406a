"""Escape: words of others inside Markdown of ours, so that they can show everything and forge nothing."""

import re

from agentflows.marks import reveal

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SPECIAL = re.compile(r"[\\`*_{}\[\]#|~$]|[&<>]|:(?=//)|(?<=\S)@(?=\w)|(?<=www)\.")
_TICKS = re.compile(r"`+")


def inline(text: str, limit: int = 0) -> str:
    """Text from outside, on one line of Markdown: no markup of its own, no link, no hidden character.

    A limit above 0 cuts to that many characters (before escaping) and says so with `…`.
    """
    text = " ".join(reveal(text).split())
    if limit and len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), "\\" + match.group()), text)


def code(text: str) -> str:
    """Text from outside as a code span; on one line, whatever backticks it holds."""
    text = " ".join(reveal(text).split()).replace("|", "¦") or " "
    ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def block(text: str, language: str = "") -> str:
    """Text from outside as a fenced block that it cannot end."""
    text = reveal(text.replace("\r\n", "\n").replace("\r", "\n"))
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def plain(text: str, limit: int = 0) -> str:
    """Text from outside for one line of a terminal or a table cell."""
    text = " ".join(reveal(text).split())
    return text[: limit - 1].rstrip() + "…" if limit and len(text) > limit else text
