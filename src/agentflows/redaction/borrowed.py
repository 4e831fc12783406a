"""The rules of gitleaks (about 200 vendors), as the package `secretscreen` carries them: its data, not its code."""

import re
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from agentflows.errors import SettingsError
from agentflows.redaction.rule import Rule, compiled, entropy

BORROWED = 2
"""Rank: after our own formats, whose kinds are coarser and stable."""

PACKAGE, FILE = "secretscreen", "secretscreen/gitleaks.toml"
_LEFT_OUT = {"generic-api-key", "jwt"}
"""`generic-api-key` needs a list of 1,400 stop words and still hits ordinary code; ours is `secret`. `jwt` is ours too."""

_PREFIX = r"(?i)[\w.-]{0,50}?"
"""95 rules begin so. It only widens the match to the left of the secret, and costs memory for 50 more states."""

_IDENTITY = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
"""A git or file hash, or a UUID. Standing alone it names something; a rule may not take it for a secret."""


def load(package: str = PACKAGE, file: str = FILE) -> tuple[Rule, ...]:
    """Read and convert the rules.

    Raises:
        SettingsError: the package or its file is missing or is not what it was.
    """
    table = tomllib.loads(_read(package, file))
    shared: dict[str, Any] = table.get("allowlist", {})
    rules = tuple(_rule(entry, shared) for entry in table.get("rules", []) if _is_usable(entry))
    if len(rules) < 150:
        msg = f"Expected 150 or more rules in {file}, found {len(rules)}. Reinstall with `pip install -c constraints.txt {package}`."
        raise SettingsError(msg)
    return rules


def _read(package: str, file: str) -> str:
    try:
        return Path(str(distribution(package).locate_file(file))).read_text("utf-8")
    except (PackageNotFoundError, OSError) as error:
        msg = f"Expected the rules {file!r} of the package {package!r}, found none ({error}). Reinstall agentflows."
        raise SettingsError(msg) from error


def _is_usable(entry: dict[str, Any]) -> bool:
    """Rules for files of a certain name say nothing about a transcript."""
    return "regex" in entry and "path" not in entry and entry["id"] not in _LEFT_OUT


def _rule(entry: dict[str, Any], shared: dict[str, Any]) -> Rule:
    pattern: str = entry["regex"]
    if pattern.startswith(_PREFIX):
        pattern = "(?i)" + pattern.removeprefix(_PREFIX)
    return Rule(
        kind=entry["id"],
        pattern=pattern,
        accept=_accept(float(entry.get("entropy", 0)), [shared, *entry.get("allowlists", [])]),
        keywords=tuple(entry.get("keywords", ())),
        rank=BORROWED,
    )


def _accept(least: float, allowlists: list[dict[str, Any]]) -> Callable[[str], bool]:
    allowed = [
        compiled(pattern)
        for allowlist in allowlists
        if allowlist.get("regexTarget", "secret") == "secret"
        for pattern in allowlist.get("regexes", ())
    ]
    stopwords = [word for a in allowlists for word in a.get("stopwords", ())]

    def accept(secret: str) -> bool:
        if entropy(secret) < least or _IDENTITY.fullmatch(secret):
            return False
        return not any(p.search(secret.encode()) for p in allowed) and not any(
            word in secret.lower() for word in stopwords
        )

    return accept
