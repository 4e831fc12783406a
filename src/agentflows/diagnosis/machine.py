"""Python and the packages: what runs all else."""

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from agentflows.diagnosis.check import Check, ok, problem

_OLDEST = (3, 11)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?([^;]*)(;.*)?$")
_BOUND = re.compile(r"(>=|<=|<|>|==|!=)\s*([0-9][0-9.]*)")
_INSTALL = "Install the versions that were tested: pip install -c constraints.txt -e . in a checkout, or pip install -U agentflows."


def check_python() -> Check:
    """The interpreter."""
    found = f"{platform.python_version()} in {sys.prefix}"
    if sys.version_info < _OLDEST:
        return problem("python", found, "Install Python 3.11 or newer, and agentflows in it.")
    return ok("python", found)


def check_packages() -> Check:
    """Every package agentflows needs, in a version it works with.

    Among them the pair that breaks quietly: Prefect 3.8 accepts a FastAPI with which its server dies at start.
    """
    try:
        wanted = metadata.requires("agentflows") or []
    except metadata.PackageNotFoundError:
        return problem("packages", "agentflows itself is not installed here", "pip install agentflows")
    wrong = [words for requirement in wanted for words in _wrong(requirement)]
    if wrong:
        return problem("packages", "; ".join(wrong), _INSTALL)
    pair = ", ".join(f"{name} {_version(name)}" for name in ("prefect", "fastapi", "anthropic", "duckdb"))
    return ok("packages", f"agentflows {_version('agentflows')} with {pair}")


def _wrong(requirement: str) -> Iterator[str]:
    """What is wrong with one line such as `prefect>=3.8`; extras are not looked at."""
    matched = _REQUIREMENT.match(requirement)
    if matched is None or (matched[3] and "extra" in matched[3]):
        return
    name, bounds = matched[1], matched[2].strip()
    found = _version(name)
    if not found:
        yield f"{name} is not installed"
    elif not all(_holds(found, sign, bound) for sign, bound in _BOUND.findall(bounds)):
        yield f"{name} is {found}, and {bounds} is needed"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def numbers(version: str) -> tuple[int, ...]:
    """`3.8.1rc2` as (3, 8, 1), for comparison."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _holds(version: str, sign: str, bound: str) -> bool:
    left, right = numbers(version), numbers(bound)
    length = max(len(left), len(right))
    left, right = (part + (0,) * (length - len(part)) for part in (left, right))
    return {
        ">=": left >= right,
        "<=": left <= right,
        "<": left < right,
        ">": left > right,
        "==": left == right,
        "!=": left != right,
    }[sign]
