"""Canvas: shapes and text put together as one SVG, escaped, described for who cannot see it, without any script."""

import hashlib
from collections.abc import Sequence
from html import escape
from typing import Literal, NamedTuple

from agentflows.pictures.lettering import clean, cut, width
from agentflows.pictures.theme import FONT, STYLESHEET, Role, fill, stroke

Anchor = Literal["start", "middle", "end"]
TITLE_SIZE, SMALL = 15, 11


class Box(NamedTuple):
    """Where a text stands at most."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


class Canvas:
    """A picture under way."""

    def __init__(self, wide: float, high: float, *, title: str, told: str) -> None:
        """`told` is what the picture shows, in words."""
        self.wide, self.high = wide, high
        self.boxes: list[Box] = []
        """Every text, for tests: none may touch another or the edge."""
        self._title, self._told = clean(title), clean(told)
        self._parts: list[str] = []

    def text(  # noqa: PLR0913 - how a text looks, by name
        self,
        x: float,
        y: float,
        text: str,
        *,
        role: Role = "ink",
        size: float = SMALL,
        anchor: Anchor = "start",
        is_bold: bool = False,
        room: float | None = None,
        tip: str = "",
    ) -> float:
        """Write one line with its baseline at `y`, cut to `room`, and return how wide it is at most."""
        shown = clean(text)
        if room is not None:
            shown = cut(shown, room, size, is_bold=is_bold)
        if not shown:
            return 0.0
        wide = width(shown, size, is_bold=is_bold)
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        self.boxes.append(Box(left, y - 0.8 * size, left + wide, y + 0.25 * size, shown))
        where = f'x="{number(x)}" y="{number(y)}"'
        look = f'font-size="{number(size)}"' if size != SMALL else ""
        look += ' font-weight="600"' if is_bold else ""
        look += f' text-anchor="{anchor}"' if anchor != "start" else ""
        hint = f"<title>{escape(clean(tip))}</title>" if tip else ""
        self._parts.append(
            f"<text {where} {fill(role)} {look.strip()}".rstrip() + f">{hint}{escape(shown)}</text>"
        )
        return wide

    def path(self, d: str, role: Role, *, opacity: float = 1.0, tip: str = "") -> None:
        """Fill a shape."""
        if not d:
            return
        seen = f' opacity="{number(opacity)}"' if opacity < 1 else ""
        self._shape(f'<path d="{d}" {fill(role)}{seen}', tip)

    def line(self, d: str, role: Role, *, wide: float = 1.0, dash: str = "", opacity: float = 1.0) -> None:
        """Draw along a path."""
        if not d:
            return
        look = f' stroke-width="{number(wide)}"' if wide != 1.0 else ""
        look += f' stroke-dasharray="{dash}"' if dash else ""
        look += f' opacity="{number(opacity)}"' if opacity < 1 else ""
        self._parts.append(f'<path d="{d}" {stroke(role)}{look}/>')

    def dot(self, x: float, y: float, radius: float, role: Role, *, tip: str = "") -> None:
        """A filled circle."""
        self._shape(f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" {fill(role)}', tip)

    def _shape(self, opened: str, tip: str) -> None:
        self._parts.append(
            f"{opened}><title>{escape(clean(tip))}</title>{_closing(opened)}" if tip else f"{opened}/>"
        )

    def svg(self, *, is_inline: bool = False) -> str:
        """The picture as SVG text.

        `is_inline` leaves out its style sheet, for a page that brings `STYLESHEET` itself and allows no other.
        """
        body = "".join(self._parts)
        size = f'viewBox="0 0 {number(self.wide)} {number(self.high)}" width="{number(self.wide)}" height="{number(self.high)}"'
        key = hashlib.sha256(f"{self._title}{self._told}{size}{body}".encode()).hexdigest()[:10]
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t{key} d{key}" '
            f'font-family="{FONT}" font-size="{SMALL}">'
            f'<title id="t{key}">{escape(self._title)}</title><desc id="d{key}">{escape(self._told)}</desc>'
        )
        style = "" if is_inline else f"<style>{STYLESHEET}</style>"
        ground = f'<rect width="100%" height="100%" rx="6" {fill("ground")}/>'
        return f"{head}{style}{ground}{body}</svg>\n"


def _closing(opened: str) -> str:
    return "</circle>" if opened.startswith("<circle") else "</path>"


def number(value: float) -> str:
    """A coordinate, to a tenth, as short as it can be written."""
    return f"{round(value, 1) or 0.0:.1f}".removesuffix(".0")


def bars(columns: Sequence[tuple[float, float, float, float]]) -> str:
    """The path of upright bars, each (left, top, width, height); one path is a tenth of as many rectangles."""
    return "".join(
        f"M{number(left)} {number(top)}h{number(wide)}v{number(high)}h{number(-wide)}z"
        for left, top, wide, high in columns
        if high > 0
    )


def across(left: float, right: float, y: float) -> str:
    """The path of a level line."""
    return f"M{number(left)} {number(y)}H{number(right)}"


def down(x: float, top: float, bottom: float) -> str:
    """The path of an upright line."""
    return f"M{number(x)} {number(top)}V{number(bottom)}"
