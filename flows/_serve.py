"""Serve: every deployment of `prefect.yaml` from one process, for who needs no work pool. `agentflows serve` runs this."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectException
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.utilities.callables import ParameterSchema, parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from agentflows.deployments import FILE, Deployment, Schedule
from agentflows.errors import UsageError
from agentflows.form import faults

HEARTBEAT_SECONDS = 30
"""As in `prefect.yaml`: what the automation for crashed runs counts on."""


def serve(
    root: Path,
    wanted: Sequence[Deployment],
    *,
    limit: int | None,
    told: Callable[[Deployment, str], None],
    ready: Callable[[], None],
) -> None:
    """Record the deployments on the server, then run what is asked of them until interrupted.

    They are paused when this ends, so that no run waits for a process that is not there, and resumed when it begins.

    Args:
        root: The project's folder. Runs begin in the current one.
        wanted: Which of its deployments.
        limit: How many runs work at once; None is as many as Prefect's own setting says.
        told: Called with each deployment and its id when the server has it.
        ready: Called when it has all.

    Raises:
        UsageError: a work pool has one of them: its workers would run what this runs; or the file says what cannot be.
    """
    _check_unpooled(root, wanted)
    all_made = [_made(root, one) for one in wanted]  # before the server has one of them
    options: dict[str, Any] = {"limit": limit} if limit else {}
    runner = _Runner(
        name="agentflows", pause_on_shutdown=True, heartbeat_seconds=HEARTBEAT_SECONDS, **options
    )
    for one, made in zip(wanted, all_made, strict=True):
        told(one, str(runner.add_deployment(made)))
    ready()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts in the background ignores it
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, runner.handle_sigterm)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


class _Runner(Runner):
    """Prefect's, but SIGTERM, or a closed terminal, ends it as Ctrl-C does: its own handler leaves a coroutine unawaited, and says so."""

    def handle_sigterm(self, *_args: Any, **_extra: Any) -> None:
        """End."""
        signal.raise_signal(signal.SIGINT)


def _check_unpooled(root: Path, wanted: Sequence[Deployment]) -> None:
    # Of our flows: others may have deployments of the same names.
    flows = [one.flow_name(root) for one in wanted]
    with get_client(sync_client=True) as client:
        there = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=flows)),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[one.name for one in wanted])),
            limit=200,
        )
    pooled = [one for one in there if one.work_pool_name]
    if pooled:
        shown = ", ".join(sorted(one.name for one in pooled))
        msg = (
            f"{shown}: deployed to the work pool {pooled[0].work_pool_name!r}, whose workers run them: start one with "
            f"`prefect worker start --pool {pooled[0].work_pool_name}`. To serve them from here instead, delete these "
            "deployments first (on their pages, or with `prefect deployment delete NAME/NAME`)."
        )
        raise UsageError(msg)


def _made(root: Path, wanted: Deployment) -> RunnerDeployment:
    """The deployment in Prefect's words.

    Raises:
        UsageError: the file says what cannot be: a flow, a schedule, a parameter.
    """
    limit = wanted.concurrency_limit
    entrypoint = str(root / wanted.entrypoint)
    try:
        form = parameter_schema(load_flow_from_entrypoint(entrypoint))
        for given in (wanted.parameters, *(wanted.parameters | one.parameters for one in wanted.schedules)):
            _check_given(given, form)
        made: Any = RunnerDeployment.from_entrypoint(
            entrypoint,
            name=wanted.name,
            description=wanted.description,
            tags=wanted.tags,
            parameters=wanted.parameters,
            version=wanted.sha_of_file(root),  # as doctor expects; in a clone it would be the commit
            schedules=[_schedule(one) for one in wanted.schedules],  # pyright: ignore[reportArgumentType]
            concurrency_limit=ConcurrencyLimitConfig(
                limit=limit.limit, collision_strategy=ConcurrencyLimitStrategy(limit.collision_strategy)
            )
            if limit
            else None,
        )
    except (OSError, ValueError, ValidationError, PrefectException) as error:
        msg = (
            f"{root / FILE}: the deployment {wanted.name!r} cannot be used: {_why(error)}. Correct it there."
        )
        raise UsageError(msg) from error
    return made


def _check_given(given: Mapping[str, Any], form: ParameterSchema) -> None:
    """Prefect takes any names; the run that has them crashes."""
    unknown = sorted(given.keys() - form.properties.keys())
    if unknown:
        msg = f"its flow has no parameter {unknown[0]!r}; it has {', '.join(form.properties)}"
        raise ValueError(msg)
    validate(dict(given), form.model_dump(), raise_on_error=True, ignore_required=True)


def _why(error: Exception) -> str:
    """What is wrong, in a line."""
    if isinstance(error, pydantic.ValidationError):
        return faults(error)
    return " ".join(str(error).split()).rstrip(". ")


def _schedule(wanted: Schedule) -> DeploymentScheduleCreate:
    if wanted.cron:
        when = CronSchedule(cron=wanted.cron, timezone=wanted.timezone)
    elif wanted.rrule:
        when = RRuleSchedule(rrule=wanted.rrule, timezone=wanted.timezone)
    else:
        when = IntervalSchedule(interval=timedelta(seconds=wanted.interval), timezone=wanted.timezone)
    return DeploymentScheduleCreate(
        schedule=when, active=wanted.active, parameters=wanted.parameters, slug=wanted.slug or None
    )
