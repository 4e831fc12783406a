# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# ruamel.yaml ships no types.
"""Plan files: YAML that a person reads and edits.

    title: Review of the repository
    task: Review this repository for security, tests and docs
    subtasks:
      - id: security
        agent: security
        task: |
          Read src/ and write reports/security.md.
        outputs: [reports/security.md]
      - id: summary
        agent: writer
        needs: [security]
        task: Summarise reports/*.md in REVIEW.md.
        outputs: [REVIEW.md]
        rubric: rubrics/review.md
        max_iterations: 2

`needs` names sub-tasks that must have ended first, `follows` one whose thread this goes on in. Order in the file does
not matter.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from agentflows.errors import NotFoundError, PlanError
from agentflows.memory import sha256
from agentflows.team.words import Plan, SubTask

MAX_SUBTASKS = 10_000
_MAX_BYTES = 4 << 20
_TOP = ("title", "task", "subtasks")
_FIELDS = ("id", *(name for name in SubTask.model_fields if name not in {"subtask_id", "line"}))


def read_plan(path: Path | str) -> Plan:
    """The plan in a file.

    Raises:
        NotFoundError: there is no such file.
        PlanError: it is no plan; the message names file, line and what to do.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            msg = f"{path}: a plan has up to {_MAX_BYTES >> 20} MiB, and this file is larger. Split the job."
            raise PlanError(msg)
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        msg = f"There is no plan {path}. Name a YAML file with `subtasks`."
        raise NotFoundError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The plan {path} cannot be read: {error}. A plan is a YAML file in UTF-8."
        raise PlanError(msg) from error
    return parse_plan(text, source=str(path))


def parse_plan(text: str, *, source: str = "") -> Plan:
    """The plan in a text.

    Raises:
        PlanError: it is no plan; the message names file, line and what to do.
    """
    where = source or "the plan"
    data = _loaded(text, where)
    if (
        not isinstance(data, Mapping)
        or not isinstance(data.get("subtasks"), Sequence)
        or not data["subtasks"]
    ):
        msg = f"{where}: expected a mapping with `subtasks`, a list of at least one. Each has an id, an agent and a task."
        raise PlanError(msg)
    _known(data, _TOP, f"{where}, line 1")
    if len(data["subtasks"]) > MAX_SUBTASKS:
        msg = f"{where}: {len(data['subtasks']):,} sub-tasks, and a plan has up to {MAX_SUBTASKS:,}. Split the job."
        raise PlanError(msg)
    tasks = [_subtask(item, data["subtasks"], number, where) for number, item in enumerate(data["subtasks"])]
    check_plan(tasks, where)
    title, task = (_text(data.get(name), f"{where}: `{name}`") for name in ("title", "task"))
    return Plan(title=title, task=task, subtasks=tuple(tasks), source=source, sha256=sha256(text))


def render_plan(plan: Plan) -> str:
    """The plan as a file that reads back the same."""
    items: list[dict[str, Any]] = []
    for task in plan.subtasks:
        kept = task.model_dump(mode="json", exclude_defaults=True, exclude={"line", "subtask_id"})
        item = {"id": task.subtask_id, **{name: kept[name] for name in _FIELDS if name in kept}}
        items.append({name: _block(value) for name, value in item.items()})
    whole = {"title": _block(plan.title), "task": _block(plan.task), "subtasks": items}
    out = io.StringIO()
    writer = YAML()
    writer.width = 110
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump({name: value for name, value in whole.items() if value}, out)
    return out.getvalue()


def check_plan(tasks: Sequence[SubTask], where: str = "the plan") -> None:
    """See that ids are single, that what is needed exists and what is promised can, and that nothing waits for itself.

    Raises:
        PlanError: it is not so; the message names the line and what to do.
    """
    if not tasks:
        msg = f"{where}: a plan has at least one sub-task, found none. Give each an id, an agent and a task."
        raise PlanError(msg)
    lines: dict[str, int] = {}
    for task in tasks:
        if task.subtask_id in lines:
            msg = (
                f"{where}, line {task.line}: the id {task.subtask_id!r} was given on line {lines[task.subtask_id]} already. "
                "Give each sub-task its own."
            )
            raise PlanError(msg)
        lines[task.subtask_id] = task.line
    for task in tasks:
        for name in _before(task):
            if name not in lines:
                known = ", ".join(list(lines)[:20])
                msg = f"{where}, line {task.line}: {task.subtask_id} needs {name!r}, which is no sub-task. There are: {known}."
                raise PlanError(msg)
        if fault := fault_of(task.outputs):
            msg = f"{where}, line {task.line}: {task.subtask_id} promises what cannot be left. {fault}"
            raise PlanError(msg)
    _check_cycles(tasks, where)
    _check_follows(tasks, where)


def fault_of(outputs: Iterable[str]) -> str:
    """Why no file of a workspace can have a promised name; "" when each can be had."""
    for pattern in outputs:
        parts = pattern.split("/")
        if not pattern.strip() or not parts[0] or ".." in parts:
            return f"The output {pattern!r} names no file of the workspace: write its path from there, without `..`."
        if parts[-1] in {"", "."}:
            return f"The output {pattern!r} is a folder: name its files, as in '{pattern.rstrip('/.') or 'reports'}/*'."
    return ""


def _check_follows(tasks: Sequence[SubTask], where: str) -> None:
    agents = {task.subtask_id: task.agent for task in tasks}
    followed: dict[str, str] = {}
    for task in tasks:
        if not task.follows:
            continue
        if agents[task.follows] != task.agent:
            msg = (
                f"{where}, line {task.line}: {task.subtask_id} ({task.agent}) follows {task.follows}, whose thread belongs to "
                f"{agents[task.follows]}. Give both the same agent, or use needs."
            )
            raise PlanError(msg)
        if task.follows in followed:
            msg = (
                f"{where}, line {task.line}: {task.subtask_id} and {followed[task.follows]} both follow {task.follows}; their order "
                "in its thread is not said. Let one follow the other."
            )
            raise PlanError(msg)
        followed[task.follows] = task.subtask_id


def _check_cycles(tasks: Sequence[SubTask], where: str) -> None:
    waiting = {task.subtask_id: set(_before(task)) for task in tasks}
    while ready := [name for name, needs in waiting.items() if not needs]:
        for name in ready:
            del waiting[name]
        for needs in waiting.values():
            needs.difference_update(ready)
    if waiting:
        line = next(task.line for task in tasks if task.subtask_id in waiting)
        msg = (
            f"{where}, line {line}: {', '.join(waiting)} wait for one another. Take one of their needs away."
        )
        raise PlanError(msg)


def _before(task: SubTask) -> tuple[str, ...]:
    return (*task.needs, *([task.follows] if task.follows else []))


def _loaded(text: str, where: str) -> Any:
    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        msg = f"{where}, line {line}: this is no YAML: {error.problem}. Mind indentation, and quote text that holds `: `."
        raise PlanError(msg) from error
    except (YAMLError, ValueError, RecursionError) as error:
        msg = f"{where}: this is no YAML: {' '.join(str(error).split())[:200]}."
        raise PlanError(msg) from error


def _subtask(item: Any, siblings: Any, number: int, where: str) -> SubTask:
    line = siblings.lc.data[number][0] + 1
    place = f"{where}, line {line}"
    if not isinstance(item, Mapping):
        msg = f"{place}: expected a sub-task with id, agent and task, found {str(item)[:60]!r}."
        raise PlanError(msg)
    _known(item, _FIELDS, place)
    for name in ("id", "agent", "task"):
        if not _text(item.get(name), f"{place}: `{name}`").strip():
            msg = f"{place}: the sub-task {str(item.get('id', ''))!r} has no {name}. Every sub-task has an id, an agent and a task."
            raise PlanError(msg)
    fields = {("subtask_id" if key == "id" else key): _plain(value) for key, value in item.items()}
    for name in ("needs", "outputs"):
        if isinstance(fields.get(name), str):
            fields[name] = [fields[name]]
    try:
        return SubTask.model_validate(fields | {"line": line})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        msg = f"{place}: `{name}` of {item['id']}: {first['msg']}, found {first.get('input')!r}."
        raise PlanError(msg) from error


def _known(item: Mapping[Any, Any], names: Iterable[str], place: str) -> None:
    allowed = list(names)
    for key in item:
        if key not in allowed:
            msg = f"{place}: `{key}` is not known here. There are: {', '.join(allowed)}."
            raise PlanError(msg)


def _text(value: Any, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        msg = f"{place}: expected text, found {str(value)[:60]!r}. Quote it."
        raise PlanError(msg)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value


def _block(value: Any) -> Any:
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value
