"""Work that must not hold up or bring down the process that grades: it runs in one of its own, under a limit.

Three kinds: a Python function of the rubric's author, a pattern that RE2 does not know, and a JSON schema, whose
patterns a hostile file could make endless. The process gets no key: its environment is made from nothing. It runs
this file by its path, which therefore imports nothing of agentflows and starts in some 50 ms.
"""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
_MAX_PRINTED = 1 << 20
_MISFITS = 5
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Aside:
    """What came of it."""

    is_met: bool = False
    said: str = ""
    """What it printed, or what does not fit."""
    failure: str = ""
    """Why there is no verdict; "" when there is one."""
    stopped: str = ""
    """Why it was ended from outside; "" when it came to its own end."""
    span: tuple[int, int] | None = None
    """Where a pattern stands, in characters."""


def run_aside(
    task: Mapping[str, Any],
    *,
    folder: Path,
    seconds: float,
    search: Sequence[Path] = (),
    stop: Callable[[], str] = str,
) -> Aside:
    """Run one task in a process of its own, with `folder` as its working directory.

    `search` comes before all else on the module path. A process that outlives its time, or that `stop` gives a reason to
    end, is killed with its children.
    """
    body = json.dumps({**task, "search": [str(path) for path in search]})
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as printed:
        told.write(body.encode())
        told.seek(0)
        process = subprocess.Popen(  # noqa: S603 - this file itself
            [sys.executable, "-P", __file__],
            stdin=told,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,
        )
        try:
            if ended_early := _waited(process, seconds, stop):
                return ended_early
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        printed.seek(max(0, printed.tell() - _MAX_PRINTED))
        return _read(printed.read().decode("utf-8", errors="replace"), process.returncode)


def _waited(process: "subprocess.Popen[bytes]", seconds: float, stop: Callable[[], str]) -> Aside | None:
    """Why it has to be ended; None when it ended by itself."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if why := stop():
            return Aside(stopped=why)
        with suppress(subprocess.TimeoutExpired):
            process.wait(min(left, _LOOK_SECONDS))
            return None
    return Aside(failure=f"it did not end within {seconds:g} s")


def _read(printed: str, exit_code: int) -> Aside:
    before, mark, answer = printed.rpartition(_MARK)
    if not mark or exit_code:
        last = printed.strip().splitlines()[-1:] or ["it printed nothing"]
        return Aside(failure=f"its process ended with exit code {exit_code}: {last[0][:500]}", said=printed)
    found = json.loads(answer)
    span = found["span"]
    return Aside(
        is_met=found["is_met"],
        said=found["said"] or before.strip(),
        failure=found["failure"],
        span=None if span is None else (span[0], span[1]),
    )


# -- inside the process ------------------------------------------------------------------------------

_MARK = "\x1eagentflows-aside\x1e"


def main() -> None:
    """Read one task from standard input, carry it out, and print what came of it."""
    task = json.load(sys.stdin)
    for path in reversed(task["search"]):
        sys.path.insert(0, path)
    kinds = {"python": _call, "regex": _find, "json_schema": _fit}
    with redirect_stdout(sys.stderr):
        answer = kinds[task["kind"]](task)
    sys.stderr.flush()
    body = {
        "is_met": answer.is_met,
        "said": answer.said,
        "failure": answer.failure,
        "span": answer.span,
    }
    sys.stdout.write(_MARK + json.dumps(body))


def _call(task: Mapping[str, Any]) -> Aside:
    module, _, name = str(task["function"]).partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        return Aside(failure=f"it cannot be imported ({error}); expected `module:function`")
    try:
        answer = function(Path(task["folder"]))
    except Exception as error:  # noqa: BLE001 - whatever the author's function does wrong is said, not hidden
        return Aside(failure=f"it raised {type(error).__name__}: {error}")
    said = ""
    if isinstance(answer, tuple) and len(cast("tuple[object, ...]", answer)) == 2:
        answer, reason = cast("tuple[object, object]", answer)
        said = str(reason)
    if not isinstance(answer, bool):
        return Aside(failure=f"it returned {answer!r}; expected True or False, or one of them with a reason")
    return Aside(is_met=answer, said=said)


def _find(task: Mapping[str, Any]) -> Aside:
    text = Path(task["file"]).read_text("utf-8", errors="replace")
    try:
        match = re.search(task["pattern"], text, re.MULTILINE)
    except re.error as error:
        return Aside(failure=f"it is no regular expression: {error}")
    return Aside(is_met=match is not None, span=None if match is None else match.span())


def _fit(task: Mapping[str, Any]) -> Aside:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    schema = task["schema"]
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return Aside(failure=f"it is no JSON schema: {error.message}")
    try:
        value = json.loads(Path(task["file"]).read_text("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return Aside(said=f"it is no JSON: {error}")
    # with a registry, an empty one, a schema cannot make this machine fetch an address
    validator: Any = Draft202012Validator(schema, registry=Registry[Any]())
    try:
        misfits = sorted(validator.iter_errors(value), key=lambda item: item.json_path)
    except Unresolvable as error:
        return Aside(failure=f"it refers to what it does not hold: {error}")
    said = "; ".join(f"{item.json_path}: {item.message[:200]}" for item in misfits[:_MISFITS])
    return Aside(is_met=not misfits, said=said)


def _no_number(name: str) -> float:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


if __name__ == "__main__":
    main()
