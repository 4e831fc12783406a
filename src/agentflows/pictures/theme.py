"""Theme: colours by role, each with its value on light and on dark ground.

Okabe and Ito's palette ("Color Universal Design", 2008), a little lighter on dark ground: the hues stay apart for
every common form of colour blindness, and nothing is said by colour alone. What is drawn carries its light colour as
an attribute, so that a picture needs no style sheet; where one is allowed, `STYLESHEET` makes it follow the reader's choice.
"""

from typing import Literal

Role = Literal["ground", "ink", "quiet", "grid", "blue", "sky", "orange", "amber", "green", "purple", "grey"]

COLOURS: dict[Role, tuple[str, str]] = {
    "ground": ("#ffffff", "#15181c"),
    "ink": ("#1c2430", "#e8ebef"),
    "quiet": ("#59636f", "#a3adb8"),
    "grid": ("#e1e5ea", "#2c333b"),
    "blue": ("#0072b2", "#4aa8e0"),
    "sky": ("#8cc8ec", "#2b6a94"),
    "orange": ("#d0450b", "#ff8352"),
    "amber": ("#e69f00", "#f2b73a"),
    "green": ("#00805d", "#35c79a"),
    "purple": ("#6a2a5a", "#a05a8c"),
    "grey": ("#aab2bb", "#5d6772"),
}

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"


def fill(role: Role) -> str:
    """The attributes of a filled shape or a text."""
    return f'class="af-{role}" fill="{COLOURS[role][0]}"'


def stroke(role: Role) -> str:
    """The attributes of a line."""
    return f'class="af-{role}-line" fill="none" stroke="{COLOURS[role][0]}"'


def _rules() -> str:
    fills = "".join(f".af-{role}{{fill:{dark}}}" for role, (_, dark) in COLOURS.items())
    lines = "".join(f".af-{role}-line{{stroke:{dark}}}" for role, (_, dark) in COLOURS.items())
    return f"@media (prefers-color-scheme:dark){{{fills}{lines}}}"


STYLESHEET = _rules()
"""For the style sheet of a page that shows pictures within itself: dark colours where the reader asks for them."""
