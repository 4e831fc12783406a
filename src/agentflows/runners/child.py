"""The other side of the `python` runner: calls one function in a process of its own.

Standard input is the job as JSON, the descriptor named by the first argument takes the answer as JSON:
`{"text": …}` or `{"error": …}`. Standard output and standard error stay the function's own.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Call the function; the exit code is 0 when it returned, whatever it returned."""
    _end_with_parent()
    descriptor = int(sys.argv[1])
    job = json.load(sys.stdin)
    sys.path[:0] = [folder for folder in job["path"] if folder not in sys.path]
    answer: dict[str, Any]
    try:
        given = _function(job["function"])(
            job["task"], job["feedback"], Path(job["workspace"]), dict(job["memory"])
        )
        answer = {"text": "" if given is None else str(given)}
    except BaseException as error:  # noqa: BLE001 - sys.exit in a function is its failure too
        traceback.print_exc()
        answer = {"error": _last_line(error)}
    sys.stdout.flush()
    with os.fdopen(descriptor, "w") as pipe:
        json.dump(answer, pipe)
    return 1 if "error" in answer else 0


def _end_with_parent() -> None:
    """Not to work on when the process that wants the answer was killed (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in function.split("."):
        found = getattr(found, part)
    return found


def _last_line(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    place = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(place[-1].filename).name}, line {place[-1].lineno})" if len(place) > 1 else ""
    return " ".join(lines[-1].split()) + where


if __name__ == "__main__":
    raise SystemExit(main())
