"""Secrets and personal data leave a text before anything stores, sends or shows it.

What is found: tokens of documented formats, the vendors of the gitleaks rules, private keys, passwords in URLs,
headers, assignments and prose, e-mail addresses, telephone numbers, payment cards, IBANs and US social security
numbers; each also when it is JSON-escaped, in base64, mixed with invisible or full-width characters, or broken over lines.

What is not found, and no rule can: names of people, postal addresses, passwords that are ordinary words, secrets in
hexadecimal, spelled out with spaces, percent-encoded, compressed or encrypted. IP addresses only when asked for
(`pii=`): in transcripts of code they are mostly something else.
"""

import functools
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agentflows.errors import SettingsError
from agentflows.redaction.formats import is_password_value, is_token_value, kind_of
from agentflows.redaction.personal import DEFAULT_PII, PII
from agentflows.redaction.search import Hit, find, rules

__all__ = ["DEFAULT_PII", "Finding", "Redactor"]

_PLACEHOLDER = re.compile(r"\[REDACTED:[a-z0-9-]+:[0-9a-f]{8}\]")
_SHORTEST = 6
"""No rule finds anything in fewer characters."""
_OWN_SHORTEST = 8
_REMEMBERED = 8_000_000
"""Characters of clean strings that are remembered; then it starts anew."""
_ENTRY = 100
"""What remembering a string costs beside its characters."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be stored, at `[start, end)` in characters."""

    kind: str
    start: int
    end: int

    @property
    def is_personal(self) -> bool:
        """Whether it tells of a person; all else opens something."""
        return self.kind in PII


class Redactor:
    """Replaces secrets and personal data by `[REDACTED:kind:hmac8]`.

    The eight hexadecimal digits are an HMAC of the secret under `key`: the same secret has the same placeholder in
    every session, and nobody without the key can test a guess. Redacting twice is redacting once.

    Args:
        key: of the HMAC; keep it, or placeholders of one secret will differ.
        own_secrets: what we hold ourselves, found by exact match. Values under 8 characters are no secrets (a local
            endpoint's `EMPTY`) and would blot out ordinary words: they are left alone.
        pii: which personal data to replace: of `email`, `phone`, `card`, `iban`, `ssn` (the default) and `ip`.

    Raises:
        SettingsError: the key is empty, a kind is unknown, or the borrowed rules cannot be read.
    """

    def __init__(
        self, key: bytes, own_secrets: Sequence[str] = (), *, pii: Sequence[str] = DEFAULT_PII
    ) -> None:
        unknown = sorted(set(pii) - set(PII))
        if unknown:
            msg = f"Expected kinds of personal data from {sorted(PII)}, found {unknown}. Remove them."
            raise SettingsError(msg)
        if not key:
            msg = "Expected a key for the placeholders, found none. Pass random bytes and keep them."
            raise SettingsError(msg)
        self.counts: dict[str, int] = {}
        """How many were replaced so far, by kind."""
        self._key = key
        self._own = tuple(secret for secret in own_secrets if len(secret) >= _OWN_SHORTEST)
        self._clean: set[str] = set()
        self._clean_size = 0
        self._rules = rules(tuple(sorted(set(pii))))

    def redact(self, text: str) -> str:
        """The text with a placeholder for each find."""
        hits = self._hits(text)
        while hits:  # what is left of two overlapping finds can be a find of its own
            text = self._replaced(text, hits)
            hits = self._hits(text)
        return text

    def redact_value(self, value: Any) -> Any:
        """The same for every string in decoded JSON: values and keys. The value of a field named `password` goes whole."""
        return self._walk(value)

    def scan(self, text: str) -> list[Finding]:
        """What `redact` would replace first; empty exactly when it would change nothing."""
        return [Finding(hit.kind, hit.start, hit.end) for hit in self._hits(text)]

    def _hits(self, text: str) -> list[Hit]:
        if len(text) < _SHORTEST:
            return []
        if "[REDACTED:" not in text:
            return find(text, self._rules, self._own)
        return [
            Hit(hit.start + offset, hit.end + offset, hit.kind, hit.rank, hit.secret)
            for offset, piece in _between_placeholders(text)
            for hit in find(piece, self._rules, self._own)
        ]

    def _replaced(self, text: str, hits: list[Hit]) -> str:
        pieces: list[str] = []
        position = 0
        for hit in hits:
            pieces += (text[position : hit.start], self._placeholder(hit.kind, hit.secret))
            position = hit.end
        return "".join((*pieces, text[position:]))

    def _placeholder(self, kind: str, secret: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        digest = hmac.new(self._key, secret.encode(errors="replace"), hashlib.sha256).hexdigest()
        return f"[REDACTED:{kind}:{digest[:8]}]"

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._walk(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            return self._fields(cast("dict[str, Any]", value))
        return value

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        walked: dict[str, Any] = {}
        for name, value in fields.items():
            new_name = self._text(name)
            while new_name in walked:  # two names became one placeholder: no value may be lost
                new_name += "'"
            walked[new_name] = self._valued(_own_name(fields, name), value)
        return walked

    def _valued(self, name: str, value: Any) -> Any:
        """The value of a field of that name; of a list, each."""
        if isinstance(value, list):
            return [self._valued(name, item) for item in cast("list[Any]", value)]
        if isinstance(value, str) and name.lower() in _COOKIES:
            return self._text(_COOKIE_LINE + value).removeprefix(_COOKIE_LINE)
        return self._named(name, value) or self._walk(value)

    def _named(self, name: str, value: Any) -> str | None:
        """A placeholder for the whole value, where the field's name alone says that it is a secret."""
        kind = _kind_of(name)
        if not kind or not isinstance(value, str) or not _ACCEPT[kind](value):
            return None
        hits = self._hits(value)
        if len(hits) == 1 and (hits[0].start, hits[0].end) == (0, len(value)):
            kind = hits[0].kind
        return self._placeholder(kind, value)

    def _text(self, text: str) -> str:
        """Redact, remembering what held nothing: logs repeat names, ids and whole results."""
        if text in self._clean:
            return text
        redacted = self.redact(text)
        if redacted == text:
            self._remember(text)
        return redacted

    def _remember(self, text: str) -> None:
        self._clean_size += len(text) + _ENTRY
        if self._clean_size > _REMEMBERED:
            self._clean.clear()
            self._clean_size = len(text) + _ENTRY
        self._clean.add(text)


_ACCEPT: dict[str, Callable[[str], bool]] = {
    "password": is_password_value,
    "secret": is_token_value,
}


@functools.lru_cache(maxsize=4096)
def _kind_of(name: str) -> str:
    """`password` or `secret` for a name that says so, else nothing."""
    return kind_of(name) if len(name) <= 100 else ""


_COOKIES = frozenset({"cookie", "set-cookie"})
_COOKIE_LINE = "Cookie: "


def _own_name(fields: dict[str, Any], name: str) -> str:
    """The name of a field; that of `value` stands beside it in `{"name": "DB_PASSWORD", "value": "…"}`."""
    told = fields.get("name", fields.get("key")) if name == "value" else None
    return told if isinstance(told, str) else name


def _between_placeholders(text: str) -> Iterator[tuple[int, str]]:
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        yield position, text[position : match.start()]
        position = match.end()
    yield position, text[position:]
