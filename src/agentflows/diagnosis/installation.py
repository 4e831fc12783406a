"""The installation on Prefect: the server and its protection, who does the work, and what is deployed there."""

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from agentflows.deployments import POOL, Deployment, read_deployments
from agentflows.diagnosis.check import Check, ok, problem, warning
from agentflows.diagnosis.machine import numbers
from agentflows.diagnosis.server import Server, find_server
from agentflows.errors import AgentflowsError
from agentflows.home import Home
from agentflows.notices import CRASHED
from agentflows.project import project_root

_SAFE_SERVER = (3, 6, 22)
"""Older servers answer some paths without the password (CVE-2026-3514, CVE-2026-7722)."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_DEPLOY = "prefect --no-prompt deploy --all in the project's folder; or agentflows serve"


def check_prefect(home: Home, *, seconds: float) -> list[Check]:
    """The server that records runs, and all that scheduled runs need."""
    server = find_server(seconds)
    if server is None:
        return [ok("prefect", "no server is named: each command starts a temporary one (10–20 s)")]
    fix = "Start it (prefect server start), or unset PREFECT_API_URL to have a temporary one."
    try:
        answer = server.get("/admin/version")
        if answer.status_code in {401, 403}:
            found = f"{server.told} wants a password or another one"
            return [problem("prefect", found, "Set PREFECT_API_AUTH_STRING.")]
        if answer.status_code != 200:
            answer = server.get("/health")
        if answer.status_code != 200:
            return [problem("prefect", f"{server.told} answers with status {answer.status_code}", fix)]
        version = _version_check(server.told, answer.text.strip().strip('"'))
        return [version, *_security_check(server), *_work_checks(server, home), _crash_check(server)]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        found = f"{server.told} cannot be reached within {seconds:g} s: {type(error).__name__}"
        return [problem("prefect", found, fix)]


def _version_check(what: str, version: str) -> Check:
    found, own = numbers(version), numbers(metadata.version("prefect"))
    if not found:
        return ok("prefect", f"{what} answers")
    if found < _SAFE_SERVER:
        return problem(
            "prefect", f"{what} is {version}, with known holes in its login", "Upgrade it to 3.6.22 or newer."
        )
    if found[:2] < own[:2]:
        fix = f"Upgrade the server: pip install prefect=={metadata.version('prefect')} where it runs."
        return warning(
            "prefect", f"{what} is {version}, older than the client {metadata.version('prefect')}", fix
        )
    return ok("prefect", f"{what}, version {version}")


# -- who may use it -----------------------------------------------------------------------------------


def _security_check(server: Server) -> Iterator[Check]:
    """Who may use the server: whoever reaches it, and whatever page is open in a browser that does.

    A run of an agent is a command on the worker's machine, so whoever may start one may do much.
    """
    answer = server.get("/admin/settings")
    if answer.status_code != 200:  # Prefect Cloud shows none, and protects itself
        return
    settings = cast("dict[str, Any]", answer.json()).get("server", {}).get("api", {})
    has_password, origins = bool(settings.get("auth_string")), str(settings.get("cors_allowed_origins", ""))
    reached = _reached_from_outside(server)
    if reached and not has_password:
        yield problem(
            "security",
            f"the server answers without a password at {reached}: whoever reaches that address can start runs here",
            "Start it with --host 127.0.0.1, or with PREFECT_SERVER_API_AUTH_STRING=name:password behind TLS; "
            "clients and workers then need PREFECT_API_AUTH_STRING.",
        )
        return
    open_to = [
        "" if settings.get("csrf_protection_enabled") else "no CSRF protection",
        "pages of any origin may read its answers" if origins == "*" else "",
        "" if has_password else "no password, so any user of this machine may use it",
    ]
    found = "; ".join(part for part in open_to if part)
    if found:
        yield warning(
            "security",
            found,
            f"Start the server with PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED=true, "
            f"PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS={server.page} and PREFECT_SERVER_API_AUTH_STRING=name:password.",
        )
    else:
        yield ok("security", "a password is needed, CSRF protection is on, other origins are kept out")


def _reached_from_outside(server: Server) -> str:
    """An address other than this machine's own loopback at which the server answers; "" where there is none."""
    parts = urlsplit(server.url)
    if parts.hostname not in _LOOPBACK:
        return parts.hostname or ""
    for address in _own_addresses():
        try:
            httpx2.get(
                f"{parts.scheme}://{address}:{parts.port or 80}/api/health", timeout=min(server.seconds, 2)
            )
        except (httpx2.HTTPError, httpx2.InvalidURL):
            continue
        return f"{address}:{parts.port or 80}"
    return ""


def _own_addresses() -> list[str]:
    """This machine's addresses in a network, as its name and its routes tell them. Nothing is sent."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        found |= {str(item[4][0]) for item in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # an address for documentation; UDP connects without a packet
        found.add(str(probe.getsockname()[0]))
    return sorted(address for address in found if not address.startswith("127."))


# -- who does the work, and what is deployed ----------------------------------------------------------


def _work_checks(server: Server, home: Home) -> Iterator[Check]:
    root = project_root()
    try:
        wanted = read_deployments(root)
    except AgentflowsError as error:
        yield problem("deployments", str(error), "Correct prefect.yaml, or move it away.")
        wanted = []
    asked = {
        "deployments": {"name": {"any_": [one.name for one in wanted]}},
        "flows": {"name": {"any_": [one.flow_name(root) for one in wanted]}},  # others have an `ingest`, too
        "limit": 200,
    }
    there = server.listed("/deployments/filter", asked)
    yield from _pool_check(server, home, there)
    if wanted:
        yield _deployments_check(root, wanted, there)
    yield from _schedule_check(server, there)


def _pool_check(server: Server, home: Home, there: Iterable[dict[str, Any]]) -> Iterator[Check]:
    """Workers of the pool; or the one process that serves the deployments."""
    served = [one for one in there if not one.get("work_pool_name") and not one.get("pull_steps")]
    if served:
        if any(one.get("status") == "READY" for one in served):
            yield ok("work", f"agentflows serve is at work on {len(served)} deployments")
        else:
            yield warning(
                "work", "agentflows serve was started and is gone: no run begins", "agentflows serve"
            )
        return
    answer = server.get(f"/work_pools/{POOL}")
    if answer.status_code == 404:
        fix = f"For scheduled runs: prefect work-pool create {POOL} --type process; or agentflows serve, all in one"
        yield warning("work pool", f"{POOL!r} does not exist; runs from the command line need none", fix)
        return
    if answer.status_code != 200:
        found = f"{POOL!r} cannot be read (status {answer.status_code})"
        yield warning("work pool", found, "See the server's log.")
        return
    if cast("dict[str, Any]", answer.json()).get("is_paused"):
        yield warning("work pool", f"{POOL!r} is paused", f"prefect work-pool resume {POOL}")
        return
    workers = server.listed(f"/work_pools/{POOL}/workers/filter")
    online = sum(worker.get("status") == "ONLINE" for worker in workers)
    if not online:
        yield warning("work pool", f"{POOL!r} has no worker", f"prefect worker start --pool {POOL}")
        return
    yield ok("work pool", f"{POOL!r}, {online} worker{'s' if online > 1 else ''}")
    if online > 1 and not home.settings.state_url:
        yield warning(
            "workers",
            f"{online} workers, and the state is a SQLite file: right on one machine, and never on two",
            "Set AGENTFLOWS_STATE_URL to a PostgreSQL database, and AGENTFLOWS_ARCHIVE_URL to storage that all reach.",
        )


def _deployments_check(root: Path, wanted: list[Deployment], there: list[dict[str, Any]]) -> Check:
    known = {str(one["name"]): one for one in there}
    missing = [one.name for one in wanted if one.name not in known]
    stale = [one.name for one in wanted if one.name in known and _differs(root, one, known[one.name])]
    paused = [one.name for one in wanted if known.get(one.name, {}).get("paused")]
    found = [
        f"{len(missing)} of {len(wanted)} are not there ({', '.join(missing)})" if missing else "",
        f"{len(stale)} are not as {root} has them ({', '.join(stale)})" if stale else "",
    ]
    if missing or stale:
        return warning("deployments", "; ".join(part for part in found if part), _DEPLOY)
    if paused:
        return warning("deployments", f"paused: {', '.join(paused)}", "Switch them on, on their pages.")
    on = [
        f"{name} ({schedule['schedule'].get('cron') or 'on'} {schedule['schedule'].get('timezone', '')})"
        for name, one in known.items()
        for schedule in one.get("schedules", [])
        if schedule.get("active")
    ]
    return ok("deployments", f"{len(wanted)}, as {root} has them; scheduled: {', '.join(on) or 'none'}")


def _schedule_check(server: Server, there: list[dict[str, Any]]) -> Iterator[Check]:
    """Whether the server plans runs for what is scheduled: one whose scheduler fails says so in its log only."""
    on = {
        str(one["id"]): str(one["name"])
        for one in there
        if not one.get("paused") and any(schedule.get("active") for schedule in one.get("schedules", []))
    }
    if not on:
        return
    # Asked for each by itself: the server plans up to a hundred runs of one, and answers with two hundred at most.
    next_runs = {name: _next_run(server, identity) for identity, name in on.items()}
    unplanned = [name for name, when in next_runs.items() if not when]
    if unplanned:
        yield warning(
            "schedules",
            f"no run is planned of {', '.join(unplanned)}: the server's scheduler is off or fails",
            "Ask again in a minute. If it stays so, see the server's log; where the server runs, Prefect 3.8 and 3.9 need "
            "pip install 'sqlalchemy<2.1', and a restart.",
        )
    else:
        told = ", ".join(f"{name} {when[:16].replace('T', ' ')}" for name, when in sorted(next_runs.items()))
        yield ok("schedules", f"next, in UTC: {told}")


def _next_run(server: Server, deployment_id: str) -> str:
    """When the next planned run of a deployment begins, in ISO 8601; "" where none is planned."""
    asked = {
        "deployments": {"id": {"any_": [deployment_id]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "NEXT_SCHEDULED_START_TIME_ASC",
        "limit": 1,
    }
    return next(
        (str(run["next_scheduled_start_time"]) for run in server.listed("/flow_runs/filter", asked)), ""
    )


def _differs(root: Path, wanted: Deployment, there: dict[str, Any]) -> bool:
    """Whether it was deployed from another flow, or with other words than the file has now. A switch is anyone's."""
    schedules = {(one.cron, one.rrule, one.timezone) for one in wanted.schedules}
    given = {
        (
            one["schedule"].get("cron") or "",
            one["schedule"].get("rrule") or "",
            one["schedule"].get("timezone"),
        )
        for one in there.get("schedules", [])
    }
    try:
        version = wanted.sha_of_file(root)
    except OSError:
        return True
    known = str(there.get("version") or "")
    # A version that is no MD5 is a commit, or a word of the project's own: nothing to hold the file against.
    is_other_file = re.fullmatch(r"[0-9a-f]{32}", known) is not None and known != version
    return is_other_file or (wanted.parameters, schedules) != (there.get("parameters"), given)


def _crash_check(server: Server) -> Check:
    """Whether anything notices a run whose process is gone: Prefect by itself shows it as running for ever."""
    found = server.listed("/automations/filter", {"automations": {"name": {"any_": [CRASHED]}}})
    if not found:
        return warning(
            "crashes", "a run that was killed is shown as running for ever", "agentflows automations"
        )
    if not found[0].get("enabled"):
        return warning("crashes", f"the automation {CRASHED!r} is switched off", "Switch it on, on its page.")
    return ok("crashes", "a run that was killed counts as crashed after 90 s")
