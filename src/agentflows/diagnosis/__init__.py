"""The diagnosis of an installation: what works, what does not, and the exact fix; `agentflows doctor`.

>>> from agentflows import doctor   # doctest: +SKIP
>>> for check in doctor().checks:
...     print(check.status, check.name, check.found, check.fix)
"""

from pathlib import Path

from agentflows.diagnosis.check import Check, Diagnosis, Status, ok, problem
from agentflows.diagnosis.doors import check_archive, check_home, check_publish, check_sandbox, check_state
from agentflows.diagnosis.installation import check_prefect
from agentflows.diagnosis.machine import check_packages, check_python
from agentflows.diagnosis.network import check_model
from agentflows.errors import SettingsError
from agentflows.home import open_home

__all__ = ["Check", "Diagnosis", "Status", "doctor"]


def doctor(home: str | Path | None = None, *, timeout_seconds: float = 5.0) -> Diagnosis:
    """Look at every part of this installation. Nothing is made, changed or paid by looking.

    Args:
        home: the home folder; None is the one `AGENTFLOWS_HOME` names.
        timeout_seconds: for each question to a server; there are a dozen at most.
    """
    machine = [check_python(), check_packages()]
    try:
        doors = open_home(home)
    except SettingsError as error:
        broken = problem(
            "settings", str(error), "Correct the variable, or unset it; the rest was not looked at."
        )
        return Diagnosis(checks=(*machine, broken))
    with doors:
        checks = [
            *machine,
            ok("settings", "all can be read"),
            check_home(doors),
            check_state(doors),
            check_archive(doors),
            *check_publish(doors),
            check_sandbox(doors.settings.sandbox),
            check_model(doors.settings, seconds=timeout_seconds),
            *check_prefect(doors, seconds=timeout_seconds),
        ]
    return Diagnosis(checks=tuple(checks))
