"""Words that others may say on a page of ours, and that must draw nothing there."""

from markdown_it import MarkdownIt

HOSTILE = "**Approve** [here](http://evil.example) ![x](http://evil.example/p.png) <img src=x> |"
"""What a task, a criterion, a project's name or an endpoint's error may say."""


def forged(page: str) -> list[str]:
    """Which marks of `HOSTILE` a page of Markdown draws as more than words."""
    drawn = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(page)
    return [mark for mark in ("<img", 'href="http', "<strong>Approve") if mark in drawn]
