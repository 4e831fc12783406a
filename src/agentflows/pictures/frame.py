"""Frame: what all pictures share. A title, a line that says what is drawn, a legend, and a note at the end."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from agentflows.pictures.canvas import TITLE_SIZE, Canvas, bars
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Verdict

WIDE, LEFT, RIGHT = 760, 16, 744
_NOTE = 22

LOOKS: dict[Verdict, tuple[Role, str]] = {
    "worse": ("orange", "▼"),
    "better": ("green", "▲"),
    "": ("quiet", ""),
}
"""The colour and the sign of a verdict: nothing is said by colour alone."""


class _Judged(Protocol):
    """A version, or the time it stood."""

    @property
    def verdict(self) -> Verdict:
        """What became of sessions after it."""
        ...


Judged = TypeVar("Judged", bound=_Judged)


def weightiest(items: Sequence[Judged], most: int = 80) -> list[Judged]:
    """Those that are drawn where a picture has no room for all: the worse and better ones, then the newest."""
    places = sorted(range(len(items)), key=lambda place: (bool(items[place].verdict), place))[-most:]
    return [items[place] for place in sorted(places)]


def framed(title: str, subtitle: str, high: float, *, told: str, note: str = "") -> Canvas:
    """A canvas with its head and its note; what is drawn goes between 60 and `high`."""
    canvas = Canvas(WIDE, high + (_NOTE if note else 0), title=title, told=told)
    canvas.text(LEFT, 28, title, size=TITLE_SIZE, is_bold=True, room=RIGHT - LEFT)
    canvas.text(LEFT, 47, subtitle, role="quiet", room=RIGHT - LEFT)
    if note:
        canvas.text(LEFT, high + _NOTE - 14, note, role="quiet", room=RIGHT - LEFT)
    return canvas


def nothing(title: str, why: str) -> Canvas:
    """What stands where there is nothing to draw."""
    canvas = Canvas(WIDE, 96, title=title, told=f"Nothing to draw: {why}.")
    canvas.text(LEFT, 28, title, size=TITLE_SIZE, is_bold=True, room=RIGHT - LEFT)
    canvas.text(WIDE / 2, 68, why, role="quiet", anchor="middle", room=RIGHT - LEFT)
    return canvas


def legend(
    canvas: Canvas, y: float, what: str, parts: Sequence[tuple[str, Role]]
) -> list[tuple[float, float, float, float]]:
    """What is drawn below, and which colour stands for what. Returns where the colours are shown."""
    x = LEFT + canvas.text(LEFT, y, what) + 20
    shown: list[tuple[float, float, float, float]] = []
    for told, role in parts:
        shown.append((x, y - 8, 9, 9))
        canvas.path(bars(shown[-1:]), role)
        x += 14 + canvas.text(x + 14, y, told, role="quiet") + 14
    return shown
