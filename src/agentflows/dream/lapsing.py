"""Lapsing: the days on which what a text says begins and ends, by its own words."""

import re
from datetime import date, timedelta

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januar janvier enero", "february februar février febrero", "march märz mars marzo",
            "april avril abril", "may mai mayo", "june juni juin junio", "july juli juillet julio",
            "august août agosto", "september septembre septiembre", "october oktober octobre octubre",
            "november novembre noviembre", "december dezember décembre diciembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_END = r"\b(?:until|till|valid (?:until|through)|through|expires?(?: on)?|ends? on|bis(?: zum)?|jusqu'au|hasta(?: el)?)\s+(?:the\s+)?(?:end of\s+)?"
_START = r"\b(?:since|as of|as from|starting(?: on)?|effective(?: from)?|valid from|from|seit(?: dem)?|ab(?: dem)?|depuis(?: le)?|à partir du|desde(?: el)?|a partir del)\s+(?:the\s+)?(?:beginning of\s+)?"
_FORMS = (
    r"(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?\b(?!\s*:)(?!-)",
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})\b(?!\s*:)",
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+|de\s+)?(?P<month>{_MONTH}),?\s+(?:de\s+)?(?P<year>\d{{4}})\b(?!\s*:)",
    rf"(?P<month>{_MONTH})\s+(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+)?(?P<year>\d{{4}})\b(?!\s*:)",
)
"""A date as people write it. With a colon after it, it dates an older value, which stays."""
_ENDS = tuple(re.compile(_END + form, re.IGNORECASE) for form in _FORMS)
_STARTS = tuple(re.compile(_START + form, re.IGNORECASE) for form in _FORMS)


def ends(text: str) -> list[date]:
    """The last days that a text names for what it says: `until 2026-03-15`, `bis zum 15.03.2026`, `until March 2026`."""
    found = (_day(match) for rule in _ENDS for match in rule.finditer(text))
    return sorted(day for day in found if day)


def starts(text: str) -> list[date]:
    """The first days that a text names for what it says: `since 2026-03-15`, `as of March 2026`, `seit dem 15.03.2026`."""
    found = (_day(match, first=True) for rule in _STARTS for match in rule.finditer(text))
    return sorted(day for day in found if day)


def undated(text: str) -> str:
    """The text without the days from and until which it says that it holds."""
    for rule in (*_STARTS, *_ENDS):
        text = rule.sub(" ", text)
    return text


def _day(match: re.Match[str], *, first: bool = False) -> date | None:
    """The day a date names; of a month its last day, or its first."""
    year, written, day = int(match["year"]), match["month"].lower(), match["day"]
    month = _MONTHS.get(written) or int(written)
    try:
        if day:
            return date(year, month, int(day))
        if first:
            return date(year, month, 1)
        return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    except ValueError:
        return None
