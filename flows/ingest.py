"""Ingest: native session logs → archive. Idempotent: what was read before is passed over."""

from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.serializers import JSONSerializer

from agentflows import readers
from agentflows.archive import AddReport
from agentflows.deployments import version_of
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.project import load_helper
from agentflows.scrubbing import scrubbed

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(task_run_name="read files: batch {number}", cache_policy=NO_CACHE, persist_result=False)
@scrubbed
def read_batch(work: "Work", number: int) -> AddReport:
    """Read one batch of files into the archive."""
    return ingest_files(work.home, work.batches[number - 1], source=work.source, alone=work.alone)


class Work:
    """What the batches share. A plain object, so that Prefect records none of it."""

    def __init__(self, home: Home, path: str, source: str) -> None:
        self.home = home
        self.source = source
        found = readers.survey(path)
        self.files = len(found.files)
        self.passed_over = found.passed_over
        self.alone = Path(path).expanduser().is_file()
        self.batches = batches(found.files)


@flow(
    name="ingest",
    flow_run_name="ingest · {path}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def ingest(
    path: Annotated[str, titled("Session logs", min_length=1)] = "~/.claude/projects",
    source: Annotated[str, titled("Format", enum=readers.formats())] = "auto",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Read native session logs into the archive: redacted, with the trust of every turn.

    Args:
        path: A folder or a file of session logs, as the worker's machine names it.
        source: auto recognises the format of each file by its content.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        What was read: files, sessions added, grown and unchanged, lines accepted and quarantined.
    """
    with open_home(home or None) as doors:
        work = Work(doors, path, source)
        parts = "1 batch" if len(work.batches) == 1 else f"{len(work.batches)} batches"
        beside = f" ({work.passed_over})" if work.passed_over else ""
        say(f"{'1 file' if work.files == 1 else f'{work.files:,} files'} in {parts}{beside}")
        progress = create_progress_artifact(0.0, key="ingest-batches", description="Batches of files read")
        total = AddReport()
        for number in range(1, len(work.batches) + 1):
            total += read_batch(work, number)
            update_progress_artifact(progress, 100.0 * number / len(work.batches))  # pyright: ignore[reportArgumentType]
            say(
                f"    batch {number}/{len(work.batches)}: {total.added:,} sessions added, {total.turns:,} turns"
            )
        figures = total.model_dump(mode="json")
        table = [{"figure": name.replace("_", " "), "value": str(value)} for name, value in figures.items()]
        _pages.lay_table(table, key="ingest", description=f"Ingest of {path}")
        return figures


if __name__ == "__main__":
    ingest()
