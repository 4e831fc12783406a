"""Canaries: strings planted where nothing should be learnt from, so that whatever carries one further is caught.

A canary stands in tool output, pages or files that agents read. It belongs in the archive and nowhere else: in a change
to a memory, in a question to a model or in what a dream says of itself it is an incident, and what holds it is stopped.
"""

import re
from collections.abc import Iterable

from agentflows.errors import SettingsError

SHORTEST = 12
"""Letters and digits of a canary: fewer could stand anywhere by chance."""
MASK = "[CANARY]"
_PIECES = re.compile(r"[\s,]+")
_FORM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_BETWEEN = r"(?:\\[nrt\"\\]|[^A-Za-z0-9]){0,3}"
"""What may stand between two characters of a canary that was wrapped, spaced out, escaped or re-cased."""


class Canaries:
    """The canaries of an installation. Found in any case, and with blanks, breaks or punctuation put in between.

    Args:
        planted: letters, digits, `-` and `_`; at least `SHORTEST` letters and digits each.

    Raises:
        SettingsError: one has another form. It is not repeated in the message.
    """

    def __init__(self, planted: Iterable[str] = ()) -> None:
        self._planted = tuple(dict.fromkeys(planted))
        for number, canary in enumerate(self._planted, 1):
            if not _FORM.fullmatch(canary) or len(_plain(canary)) < SHORTEST:
                msg = (
                    f"Canary number {number} cannot be used: expected at least {SHORTEST} letters and digits, with - or _ "
                    "between them, found something else. Correct AGENTFLOWS_CANARIES."
                )
                raise SettingsError(msg)
        self._wanted = tuple(map(_plain, self._planted))
        forms = [_BETWEEN.join(_plain(canary)) for canary in self._planted]
        self._search = re.compile("|".join(forms) or r"(?!)", re.IGNORECASE)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._planted)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._planted)

    def number_in(self, text: str) -> int:
        """Which canary stands in the text, counted from 1; 0 for none."""
        if not self._planted:
            return 0
        plain = _plain(text)
        return next((number for number, one in enumerate(self._wanted, 1) if one in plain), 0)

    def masked(self, text: str) -> str:
        """The text with `MASK` in the place of every canary, also inside JSON."""
        return self._search.sub(MASK, text) if self._planted else text


def canaries_of(setting: str) -> Canaries:
    """The canaries that a setting lists, with blanks or commas between them."""
    return Canaries(part for part in _PIECES.split(setting) if part)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
