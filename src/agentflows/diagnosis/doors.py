"""The home, the state database, the archive and the sandbox. Looking makes nothing that was not there."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agentflows.diagnosis.check import Check, ok, problem, warning
from agentflows.errors import AgentflowsError
from agentflows.home import Home
from agentflows.sandbox import probe
from agentflows.store.layout import read_layout
from agentflows.store.tables import SCHEMA_VERSION

_LITTLE = 1 << 30
_TOO_LITTLE = 100 << 20
_SET_HOME = "Name a folder you can write with AGENTFLOWS_HOME or --home."


def check_home(home: Home) -> Check:
    """The folder for everything that is kept."""
    folder = home.settings.home_path
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return problem("home", f"{folder} cannot be written", f"Check the rights on {there}. {_SET_HOME}")
    free = shutil.disk_usage(there).free
    found = f"{folder}{'' if there == folder else ' (made at first use)'}, {free / (1 << 30):.1f} GiB free"
    if free < _TOO_LITTLE:
        return problem("home", found, f"Free some space. {_SET_HOME}")
    if free < _LITTLE:
        return warning("home", found, f"Free some space. {_SET_HOME}")
    if (folder / "redaction.key").exists():
        try:
            home.redactor()
        except AgentflowsError as error:
            return problem("home", str(error), "Restore redaction.key from a backup, or delete it.")
    return ok("home", found)


def check_state(home: Home) -> Check:
    """The database of stores, dreams, decisions and budgets."""
    url = home.settings.resolved_state_url
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    if file and not file.exists():
        return ok("state", f"{file} does not exist yet (made at first use)")
    try:
        layout, place = read_layout(url)
    except AgentflowsError as error:
        return problem("state", str(error), "Correct AGENTFLOWS_STATE_URL, or what the message names.")
    if layout is None:
        return ok("state", f"{place} is empty (filled at first use)")
    if layout > SCHEMA_VERSION:
        fix = "pip install -U agentflows, or name another home with AGENTFLOWS_HOME."
        return problem(
            "state", f"{place} has layout {layout}, and layouts up to {SCHEMA_VERSION} are known", fix
        )
    if file and not os.access(file, os.W_OK):
        return problem("state", f"{place} cannot be written", f"Check the owner and rights of {file}.")
    later = "" if layout == SCHEMA_VERSION else f" (moves to {SCHEMA_VERSION} when it is next used)"
    return ok("state", f"{place}, layout {layout}{later}")


def check_archive(home: Home) -> Check:
    """All sessions."""
    place = home.settings.resolved_archive
    try:
        found = home.archive.stats()
    except AgentflowsError as error:
        return problem(
            "archive", str(error), "agentflows archive verify names what is damaged; rebuild repairs it."
        )
    if not found.sessions:
        return ok("archive", f"{place} holds no session yet; agentflows ingest PATH reads some in")
    return ok("archive", f"{place}, {found.sessions:,} sessions, {found.turns:,} turns")


def check_publish(home: Home) -> Iterator[Check]:
    """The folders that agents mount, where some are named."""
    for store, folder in sorted(home.settings.publish.items()):
        place = Path(folder).expanduser()
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            fix = f"Check the rights on {there}, or name another folder in AGENTFLOWS_PUBLISH."
            yield problem("publish", f"{store!r} cannot be written to {place}", fix)
        elif (free := shutil.disk_usage(there).free) < _TOO_LITTLE:
            yield problem("publish", f"{place} has {free / (1 << 20):.0f} MiB free", "Free some space there.")
        else:
            yield ok(
                "publish", f"{store!r} goes to {place}{'' if place.exists() else ' (made at first use)'}"
            )


def check_sandbox(mode: str) -> Check:
    """Where commands of agents run: tried out, not looked up."""
    report = probe()
    if not report.usable:
        found = " ".join(report.problems)
        fix = " ".join(report.advice)
        if mode == "off":
            return warning("sandbox", f"off: commands of agents run without walls. {found}", fix)
        return problem("sandbox", f"{found} Commands of agents are refused.", fix)
    if mode == "off":
        fix = "Unset AGENTFLOWS_SANDBOX: a sandbox works here."
        return warning("sandbox", "off: commands of agents run without walls", fix)
    found = f"bubblewrap {report.bwrap_version}, network cut, processes limited by {report.process_limit}"
    if report.warnings:
        return warning("sandbox", f"{found}. {' '.join(report.warnings)}", " ".join(report.advice))
    return ok("sandbox", found)
