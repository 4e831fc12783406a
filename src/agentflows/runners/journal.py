"""The record of one run: what the archive keeps, and what the transcript's session is made of.

Every runner writes the lines of the format `agentflows` while it works. They are read back by the reader that
`archive rebuild` uses, so that what a dream sees is what was written down, with its trust told by one place.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agentflows import readers
from agentflows.agent import AgentDefinition, Job, Transcript
from agentflows.evaluation import RunEnd
from agentflows.readers.fields import cut
from agentflows.session import OutcomeLabel, Session, Usage

FORMAT = "agentflows"
_TASK = 200
"""Characters of a task that name it in the archive."""


class Journal:
    """The lines of one run so far.

    Args:
        agent: who runs.
        job: on what.
        model: the model asked for, "" where the agent's program chooses it.
        sandbox: `required` or `off`: what became of the agent's choice.
        lines: what was written earlier, when a killed run goes on.
    """

    def __init__(
        self,
        agent: AgentDefinition,
        job: Job,
        *,
        model: str = "",
        sandbox: str = "",
        lines: Sequence[str] = (),
    ) -> None:
        self.lines = list(lines)
        if self.lines:
            return
        self.note(
            "run",
            session_id=job.job_id,
            job_id=job.job_id,
            parent_id=job.parent_id,
            agent=agent.name,
            agent_sha256=agent.sha256,
            runner=agent.runner,
            model=model,
            sandbox=sandbox,
            project=job.project or str(job.workspace),
            task=cut(job.task, _TASK),
        )

    def note(self, kind: str, **fields: Any) -> None:
        """Write down one event."""
        self.lines.append(self.record(kind, **fields))

    @staticmethod
    def record(kind: str, **fields: Any) -> str:
        """The line of one event, which is not written down."""
        return encoded({"agentflows_run": 1, "type": kind, "at": _now(), **fields})

    def said(self, by: str, text: str) -> None:
        """Words that went to the agent: by `task`, `feedback`, `memory` or `runner`."""
        if text:
            self.note("said", by=by, text=text)

    def brief(self, job: Job) -> None:
        """The job's own words."""
        for path, content in job.memory.items():
            self.said("memory", f"{path}\n\n{content}")
        self.said("feedback" if job.feedback else "task", job.feedback or job.task)

    def transcript(
        self,
        end: RunEnd,
        *,
        detail: str = "",
        text: str = "",
        usage: Usage | None = None,
        dollars: float = 0.0,
        state: str = "",
    ) -> Transcript:
        """Close the record and make the transcript of it. `usage` is what the session's turns say when None."""
        detail = cut(detail, 500)
        self.note("end", end=end, detail=detail, dollars=dollars)
        session = session_of(self.lines)
        calls = [turn for turn in session.turns if turn.kind == "tool_call"]
        errors = [turn for turn in session.turns if turn.kind == "tool_result" and turn.is_error]
        return Transcript(
            session=session,
            end=end,
            detail=detail,
            text=text,
            usage=session.usage if usage is None else usage,
            dollars=dollars,
            tool_calls=len(calls),
            tool_errors=len(errors),
            state=state,
            raw=tuple(self.lines),
        )


def encoded(record: Mapping[str, Any]) -> str:
    """One line of JSON; text that is no Unicode (half a surrogate pair) is replaced, as the archive takes none."""
    return json.dumps(record, ensure_ascii=False).encode(errors="replace").decode()


def outcome_line(outcome: OutcomeLabel) -> str:
    """The line that says what a run's grading found."""
    return encoded({"agentflows_run": 1, "type": "outcome", **outcome.model_dump(mode="json")})


def session_of(lines: Sequence[str]) -> Session:
    """The session these lines of a run tell. Nothing in it is redacted yet: the archive's copy is."""
    stream = io.BytesIO("\n".join(lines).encode())
    found: Iterator[Session] = (
        session for read in readers.read("-", source=FORMAT, stdin=stream) for session in read.sessions
    )
    return next(found)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
