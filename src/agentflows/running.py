"""Run the flows from Python and get the words back, as the command line does."""

import threading
from collections.abc import Callable, Collection, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agentflows.archive import AddReport
from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest
from agentflows.errors import UsageError
from agentflows.form import faults
from agentflows.home import open_home
from agentflows.project import load_flow

_Answer = TypeVar("_Answer")


class FirstAlone:
    """Runs what it is given; the first of a process by itself, whoever comes meanwhile after it.

    Where several threads call for Prefect's temporary server at once, one of them starts it and the others fail.
    """

    def __init__(self) -> None:
        self._first = threading.RLock()
        self._is_over = threading.Event()

    def __call__(self, work: Callable[[], _Answer]) -> _Answer:
        """What `work` gives, or raises."""
        if not self._is_over.is_set():
            with self._first:
                if not self._is_over.is_set():
                    try:
                        return work()
                    finally:
                        self._is_over.set()
        return work()


_run = FirstAlone()


def run_ingest(path: str | Path, *, source: str = "auto", home: str | Path = "") -> AddReport:
    """Read session logs into the archive, as a Prefect flow run.

    Raises:
        ReaderError: `path` cannot be read.
        ArchiveError: the archive cannot be written.
    """
    flow = load_flow("ingest")
    return AddReport.model_validate(_run(lambda: flow(path=str(path), source=source, home=str(home))))


def run_dream(store: str, *, home: str | Path = "", **options: Any) -> DreamReport:
    """Dream over archived sessions, as a Prefect flow run.

    Args:
        store: the store to dream over; it is made where there is none.
        home: the home folder; "" is the one `AGENTFLOWS_HOME` names.
        options: the other fields of `DreamRequest` (`engine`, `commit`, `sessions`, `budget`, …), and `dispatch`.

    Raises:
        UsageError: there is no such option, or a value cannot be; nothing was started.
        DreamError: there is nothing to read, or the dream cannot go on.
        BudgetError: it would cost more than its budget.
        ConflictError: another dream is at work on the store.
    """
    flow = load_flow("dream")
    _check(store, options, known=signature(flow.fn).parameters)
    answer = _run(lambda: flow(store=store, home=str(home), **options))
    with open_home(home or None) as doors:
        return doors.state.dream(answer["dream_id"])


def _check(store: str, options: Mapping[str, Any], *, known: Collection[str]) -> None:
    """Refuse what no dream can be asked for, before a run is made of it. A project's own flow may take more."""
    unknown = sorted(options.keys() - set(known))
    if unknown:
        msg = f"A dream has no option {', '.join(map(repr, unknown))}. It has: {', '.join(sorted(known))}."
        raise UsageError(msg)
    asked = {name: value for name, value in options.items() if name in DreamRequest.model_fields}
    try:
        DreamRequest.model_validate({"store": store} | asked)
    except ValidationError as error:
        msg = f"The dream cannot be dreamt as asked: {faults(error)}. Nothing was started."
        raise UsageError(msg) from error
