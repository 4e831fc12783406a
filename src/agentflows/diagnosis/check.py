"""What a look at one part of an installation found."""

from typing import Literal

from pydantic import BaseModel

Status = Literal["ok", "warning", "problem"]
"""`problem`: something that is needed does not work. `warning`: it works, and less than it could."""


class Check(BaseModel, frozen=True):
    """One part, how it is, and what to do about it."""

    name: str
    status: Status
    found: str
    """What is there. Never a key or a password."""
    fix: str = ""
    """The command or setting that changes it; "" where nothing is to be done."""


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name=name, status="ok", found=found)


def warning(name: str, found: str, fix: str) -> Check:
    """It works, and less than it could."""
    return Check(name=name, status="warning", found=found, fix=fix)


def problem(name: str, found: str, fix: str) -> Check:
    """It does not work."""
    return Check(name=name, status="problem", found=found, fix=fix)


class Diagnosis(BaseModel, frozen=True):
    """All checks, in the order in which to repair."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there is no problem; warnings are none."""
        return all(check.status != "problem" for check in self.checks)

    def of(self, name: str) -> Check:
        """The check of that name.

        Raises:
            KeyError: there is none.
        """
        return {check.name: check for check in self.checks}[name]
