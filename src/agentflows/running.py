"""Run the flows from Python and get the words back, as the command line does."""

from pathlib import Path
from typing import Any

from agentflows.archive import AddReport
from agentflows.change import DreamReport
from agentflows.home import open_home
from agentflows.project import load_flow


def run_ingest(path: str | Path, *, source: str = "auto", home: str | Path = "") -> AddReport:
    """Read session logs into the archive, as a Prefect flow run.

    Raises:
        ReaderError: `path` cannot be read.
        ArchiveError: the archive cannot be written.
    """
    return AddReport.model_validate(load_flow("ingest")(path=str(path), source=source, home=str(home)))


def run_dream(store: str, *, home: str | Path = "", **options: Any) -> DreamReport:
    """Dream over archived sessions, as a Prefect flow run; `options` are the flow's parameters.

    Raises:
        DreamError: there is nothing to read, or the dream cannot go on.
        BudgetError: it would cost more than its budget.
    """
    answer = load_flow("dream")(store=store, home=str(home), **options)
    with open_home(home or None) as doors:
        return doors.state.dream(answer["dream_id"])
