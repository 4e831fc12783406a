"""Runs into the archive: what an agent did, and what its grading said of it, for dreams to learn from."""

import io

from agentflows import readers
from agentflows.agent import Transcript
from agentflows.archive import AddReport
from agentflows.home import Home
from agentflows.runners import outcome_line
from agentflows.session import OutcomeLabel


def record_run(home: Home, transcript: Transcript, outcome: OutcomeLabel | None = None) -> AddReport:
    """Archive one run, redacted as every session is. It is there when this returns; doing it again changes nothing.

    Runs that end in several threads at about the same time are published together.

    A run may be recorded when it ends and once more when it was graded: the label then joins the session that is
    archived already. A label that contradicts an earlier one does not replace it.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    lines = [*transcript.raw, *([outcome_line(outcome)] if outcome else [])]
    stream = io.BytesIO("\n".join(lines).encode())
    name = f"agentflows:{transcript.session.session_id}"
    reads = [
        read.model_copy(update={"file": name})
        for read in readers.read("-", source="agentflows", redactor=home.redactor(), stdin=stream)
    ]
    return home.archive.add_with_others(reads)
