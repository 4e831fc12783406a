"""Checks: criteria that code decides, over the frozen deliverables.

A check that could not be carried out (it ran out of time, its command does not exist, its function raised) says
`cannot_tell` and what is needed: it is not met, and no verdict on the work either. Patterns run on RE2, whose
time grows with the text and not beyond; one that RE2 does not know runs in a process of its own under the
check's time limit, as `python` functions do.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

import re2 as _re2

from agentflows.errors import StoppedError, UsageError
from agentflows.evaluation import CriterionResult, Evidence, Met
from agentflows.outcome.aside import Aside, run_aside
from agentflows.rubric import Check

MAX_FILE_BYTES = 16 << 20
"""A larger file is not searched: the check says so."""
MAX_FILES = 2_000
"""Files one glob may name."""
re2 = cast("Any", _re2)
_SAID_CHARS = 2_000
_QUOTE_CHARS = 300
_NOT_RUN = {126: "cannot be executed", 127: "was not found"}
"""What bash says with these exit codes of the command itself."""


Stop = Callable[[], str]
"""Why to end now; "" to go on."""


class Ran(Protocol):
    """What became of one command, as far as a check cares; `agentflows.sandbox.Run` is one."""

    @property
    def exit_code(self) -> int | None:
        """0 to 255; None when it was killed from outside."""
        ...

    @property
    def output(self) -> str:
        """What it printed."""
        ...

    @property
    def reason(self) -> str:
        """Why it ended, such as `exited` or `timeout`."""
        ...


class Shell(Protocol):
    """Runs a command over a folder of deliverables that it cannot change, in a sandbox."""

    def __call__(self, command: str, *, folder: Path, seconds: float) -> Ran:
        """Run it to its end, or for `seconds`.

        Raises:
            StoppedError: there was a reason to end it.
            AgentflowsError: the sandbox cannot be made; nothing ran.
        """
        ...


def run_check(
    check: Check,
    folder: Path,
    *,
    criterion_id: str = "",
    shell: Shell | None = None,
    search: Sequence[Path] | None = None,
    stop: Stop = str,
) -> CriterionResult:
    """Decide one criterion by code.

    Args:
        check: how.
        folder: the frozen deliverables.
        criterion_id: whose result it is.
        shell: runs `command` checks; only they need it.
        search: folders in which the module of a `python` check is looked for, before the installed ones; None is
            the current folder. The deliverables are never among them by themselves: they cannot replace a module.
        stop: asked while it runs; a text is the reason to end it without a verdict.

    Raises:
        StoppedError: there was a reason to end it.
        UsageError: a `command` check and no `shell`.
        AgentflowsError: what `shell` raises: the check could not be tried at all.
    """
    started = time.monotonic()
    if why := stop():
        raise StoppedError(why)
    if check.kind == "command":
        found = _command(check, folder, shell)
    elif check.kind == "python":
        found = _python(check, folder, [Path.cwd()] if search is None else search, stop)
    else:
        found = _over_files(check, folder, stop)
    return found.model_copy(
        update={"criterion_id": criterion_id, "seconds": round(time.monotonic() - started, 3)}
    )


def _result(met: Met, reason: str, *, needed: str = "", evidence: Sequence[Evidence] = ()) -> CriterionResult:
    return CriterionResult(
        criterion_id="", met=met, judging="check", reason=reason, needed=needed, evidence=tuple(evidence)
    )


def _said(text: str) -> str:
    """The last of what was printed: tools put their verdict at the end."""
    text = text.strip()
    return text if len(text) <= _SAID_CHARS else f"…{text[-_SAID_CHARS:]}"


# -- command and python ------------------------------------------------------------------------------


def _command(check: Check, folder: Path, shell: Shell | None) -> CriterionResult:
    if shell is None:
        msg = f"The check `{check.command}` is a command and there is no sandbox to run it in. Pass `shell`."
        raise UsageError(msg)
    ran = shell(check.command, folder=folder, seconds=check.timeout_seconds)
    printed = _said(ran.output)
    evidence = [Evidence(path="", start_line=0, text=printed)] if printed else []
    last = printed.splitlines()[-1][:_QUOTE_CHARS] if printed else "it printed nothing"
    if ran.reason != "exited":
        reason = f"`{check.command}` did not end by itself ({ran.reason}, limit {check.timeout_seconds:g} s)."
        needed = "Make what it runs end within its limits, or give the check more time in the rubric."
        return _result("cannot_tell", reason, needed=needed, evidence=evidence)
    if ran.exit_code in _NOT_RUN:
        reason = f"`{check.command}` {_NOT_RUN[ran.exit_code]} (exit code {ran.exit_code}): {last}"
        needed = "Install it for the sandbox, or correct the check in the rubric."
        return _result("cannot_tell", reason, needed=needed, evidence=evidence)
    reason = f"`{check.command}` ended with exit code {ran.exit_code}: {last}"
    if ran.exit_code == 0:
        return _result("met", reason, evidence=evidence)
    return _result("unmet", reason, needed=f"Make `{check.command}` end with exit code 0.", evidence=evidence)


def _python(check: Check, folder: Path, search: Sequence[Path], stop: Stop) -> CriterionResult:
    task = {"kind": "python", "function": check.function, "folder": str(folder)}
    aside = _aside(check, task, folder, stop, search=search)
    if aside.failure:
        reason = f"`{check.function}` gave no verdict: {aside.failure}"
        return _result("cannot_tell", reason, needed="Correct the function: it returns True or False.")
    said = _said(aside.said) or f"`{check.function}` returned {aside.is_met}."
    evidence = [Evidence(path="", start_line=0, text=_said(aside.said))] if aside.said.strip() else []
    needed = "" if aside.is_met else f"Make `{check.function}` return True."
    return _result("met" if aside.is_met else "unmet", said, needed=needed, evidence=evidence)


def _aside(
    check: Check, task: Mapping[str, Any], folder: Path, stop: Stop, *, search: Sequence[Path] = ()
) -> Aside:
    aside = run_aside(task, folder=folder, seconds=check.timeout_seconds, search=search, stop=stop)
    if aside.stopped:
        raise StoppedError(aside.stopped)
    return aside


# -- files -------------------------------------------------------------------------------------------


def _over_files(check: Check, folder: Path, stop: Stop) -> CriterionResult:
    try:
        found = list(_files(folder, check.path))
    except UsageError as error:
        return _result("cannot_tell", str(error), needed="Correct the path in the rubric.")
    if check.kind == "exists":
        return _exists(check, found, folder)
    if not found:
        met: Met = "cannot_tell" if check.negated else "unmet"
        return _result(met, f"There is no file {check.path!r}.", needed=f"A file {check.path!r}.")
    for path in found:
        if path.stat().st_size > MAX_FILE_BYTES:
            reason = f"{path.relative_to(folder)} has {path.stat().st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read."
            return _result("cannot_tell", reason, needed="A smaller file.")
    return (_regex if check.kind == "regex" else _json)(check, found, folder, stop)


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    """The files a path or glob names, sorted, none outside the folder and no symbolic link."""
    wanted = PurePosixPath(pattern)
    if not pattern or wanted.is_absolute() or ".." in wanted.parts:
        msg = f"The path {pattern!r} does not name files of the deliverables; write it relative to them, without `..`."
        raise UsageError(msg)
    exact = folder / pattern
    try:
        paths = [exact] if exact.is_file() else sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        msg = f"The path {pattern!r} is no glob: {error}."
        raise UsageError(msg) from error
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    if len(files) > MAX_FILES:
        msg = f"The path {pattern!r} names {len(files):,} files; at most {MAX_FILES:,} are looked at."
        raise UsageError(msg)
    root = folder.resolve()
    return (path for path in files if path.resolve().is_relative_to(root))


def _exists(check: Check, found: Sequence[Path], folder: Path) -> CriterionResult:
    names = ", ".join(str(path.relative_to(folder)) for path in found[:10]) + (
        " …" if len(found) > 10 else ""
    )
    if check.negated:
        if found:
            return _result("unmet", f"{check.path!r} is there: {names}.", needed=f"Remove {check.path!r}.")
        return _result("met", f"{check.path!r} is not there.")
    if found:
        return _result("met", f"{check.path!r} is there: {names}.")
    return _result("unmet", f"There is no file {check.path!r}.", needed=f"A file {check.path!r}.")


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


Search = Callable[[str], tuple[int, int] | None]


def _regex(check: Check, found: Sequence[Path], folder: Path, stop: Stop) -> CriterionResult:
    """`^` and `$` are the ends of lines. With several files it is enough that one of them has it."""
    search = _search_in_re2(check.pattern)
    for path in found:
        text = _text(path)
        if search is None:
            task = {"kind": "regex", "pattern": check.pattern, "file": str(path)}
            aside = _aside(check, task, folder, stop)
            if aside.failure:
                reason = f"The pattern `{check.pattern}` could not be searched for: {aside.failure}"
                return _result("cannot_tell", reason, needed="Correct the pattern in the rubric.")
            span = aside.span
        else:
            span = search(text)
        if span is not None:
            return _matched(check, path.relative_to(folder).as_posix(), text, span)
    where = check.path if len(found) == 1 else f"any of the {len(found)} files {check.path!r} names"
    if check.negated:
        return _result("met", f"The pattern `{check.pattern}` does not stand in {where}.")
    needed = f"Text that matches `{check.pattern}` in {check.path!r}."
    return _result("unmet", f"The pattern `{check.pattern}` does not stand in {where}.", needed=needed)


def _search_in_re2(pattern: str) -> Search | None:
    """None when RE2 does not know the pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(f"(?m){pattern}", options)
    except re2.error:
        return None

    def search(text: str) -> tuple[int, int] | None:
        match = compiled.search(text)
        return None if match is None else (int(match.start()), int(match.end()))

    return search


def _matched(check: Check, name: str, text: str, span: tuple[int, int]) -> CriterionResult:
    start, end = span
    line = text.count("\n", 0, start) + 1
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    quote = text[begin : stop if stop >= 0 else len(text)]
    if len(quote) > _QUOTE_CHARS:
        quote = text[start : min(end, start + _QUOTE_CHARS)]
    evidence = [Evidence(path=name, start_line=line, text=quote)] if quote else []
    reason = f"The pattern `{check.pattern}` stands in {name}, line {line}."
    if check.negated:
        return _result("unmet", reason, needed=f"Remove what matches `{check.pattern}`.", evidence=evidence)
    return _result("met", reason, evidence=evidence)


def _json(check: Check, found: Sequence[Path], folder: Path, stop: Stop) -> CriterionResult:
    """Every file named must fit the schema."""
    for path in found:
        task = {"kind": "json_schema", "schema": check.json_schema, "file": str(path)}
        aside = _aside(check, task, folder, stop)
        name = path.relative_to(folder).as_posix()
        if aside.failure:
            reason = f"The schema could not be tried on {name}: {aside.failure}"
            return _result("cannot_tell", reason, needed="Correct the schema in the rubric.")
        if not aside.is_met:
            reason = f"{name} does not fit its schema: {_said(aside.said)}"
            shown = json.dumps(check.json_schema, sort_keys=True)[:_QUOTE_CHARS]
            return _result("unmet", reason, needed=f"Make {name} fit the schema {shown}.")
    names = ", ".join(path.relative_to(folder).as_posix() for path in found[:10])
    return _result("met", f"{names} fits its schema.")
