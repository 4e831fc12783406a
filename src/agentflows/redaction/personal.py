"""Personal data with a shape and a check: e-mail, payment card, IBAN, US social security number, phone, IP.

Names and postal addresses have no shape. Nothing here finds them.
"""

import ipaddress
import re

from agentflows.redaction.rule import Match, Rule, Span

PERSONAL = 4
"""Rank: below every secret."""

DEFAULT_PII = ("email", "phone", "card", "iban", "ssn")
"""On unless asked otherwise. Measured on 31 MB of real sessions: 222 phone numbers, none of them false; but of three
different "IP addresses" two were decimals of an SVG path, and local addresses say nothing of a person."""

_ROLE = re.compile(r"(?i)(?:git|hg|svn|no-?reply|do-?not-?reply)@")
_FILE = re.compile(
    r"(?i).*\.(?:png|jpe?g|gif|svg|webp|ico|js|jsx|tsx?|mjs|cjs|css|scss|json|md|ya?ml|toml|lock|html?|txt|service|local)"
)
_CARD_LENGTHS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"6(?:011|4[4-9]|5)|35(?:2[89]|[3-8])|62"), (16, 17, 18, 19)),
    (re.compile(r"3(?:0[0-5]|[689])"), (14,)),
)
_IBAN_LENGTHS = {
    code: int(length)
    for group in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20",
        "EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30",
        "KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23",
        "PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26",
        "UA29 VA22 VG24 XK20 YE30",
    )
    for code, length in ((entry[:2], entry[2:]) for entry in group.split())
}
"""Characters of an IBAN by country, as the registry of the standard (ISO 13616) lists them."""


def is_email(value: str) -> bool:
    """A person's, as far as one can see: not `git@host`, not a no-reply sender, not a file such as `logo@2x.png`."""
    return not (_ROLE.match(value) or _FILE.fullmatch(value)) and ".." not in value


def is_card(value: str) -> bool:
    """An issuer's prefix, its length, and Luhn's check digit."""
    digits = re.sub(r"[ -]", "", value)
    if len(set(digits)) < 3 or not any(p.match(digits) and len(digits) in n for p, n in _CARD_LENGTHS):
        return False
    doubled = (int(d) * 2 for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def is_iban(value: str) -> bool:
    """A country of the registry, its length, and the remainder 1 modulo 97."""
    code = value.replace(" ", "")
    if _IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def iban_span(data: bytes, match: Match) -> Span | None:
    """The IBAN at the start of the match, which may have run on into the next word in capitals."""
    start, end = match.span()
    wanted = _IBAN_LENGTHS.get(data[start : start + 2].decode(), 0)
    letters = [i for i in range(start, end) if data[i : i + 1] != b" "][:wanted]
    if not letters or not is_iban(data[start : letters[-1] + 1].decode()):
        return None
    return start, letters[-1] + 1


def is_ssn(value: str) -> bool:
    """Area, group and serial that are issued."""
    area, group, serial = value.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def is_phone(value: str) -> bool:
    """Between 8 and 15 digits, as ITU E.164 has it."""
    return 8 <= sum(c.isdigit() for c in value) <= 15


def is_public_ip(value: str) -> bool:
    """An address that names somebody's machine: not local, private or reserved."""
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


_EDGE = r"(?:^|[^\w.+-])"

PII: dict[str, Rule] = {
    "email": Rule(
        "email",
        r"\b([A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24})\b",
        accept=is_email,
        keywords=("@",),
        rank=PERSONAL,
    ),
    "card": Rule("card", rf"{_EDGE}([2-6](?:[ -]?\d){{12,18}})(?:$|[^\w-])", accept=is_card, rank=PERSONAL),
    "iban": Rule(
        "iban",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        locate=iban_span,
        rank=PERSONAL,
    ),
    "ssn": Rule("ssn", rf"{_EDGE}(\d{{3}}-\d{{2}}-\d{{4}})(?:$|[^\w-])", accept=is_ssn, rank=PERSONAL),
    "phone": Rule(
        "phone",
        _EDGE
        + r"(\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
        + r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?:$|[^\w-])",
        accept=is_phone,
        rank=PERSONAL,
    ),
    "ip": Rule(
        "ip", rf"{_EDGE}((?:\d{{1,3}}\.){{3}}\d{{1,3}})(?:$|[^\w-])", accept=is_public_ip, rank=PERSONAL
    ),
}
