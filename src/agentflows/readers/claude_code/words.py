"""Who speaks in a user line of Claude Code: the person, the harness, the lead of a sub-agent, a file, a program.

The log gives all of them the role `user`. Where a text stands in its line decides, and the harness's own marks.
"""

from dataclasses import dataclass
from typing import Any

from agentflows.readers.claude_code.harness import injected_spans, is_harness_only
from agentflows.readers.fields import table, text
from agentflows.readers.typed import disjoint, typed_spans
from agentflows.session import Span, Trust, TurnKind

_PROGRAMS = ("sdk-", "claude-code-github-action", "mcp")


@dataclass(frozen=True, slots=True)
class Words:
    """A text with who said it."""

    kind: TurnKind
    trust: Trust
    text: str
    spans: tuple[Span, ...] = ()


def user_words(said: str, record: dict[str, Any], *, is_side: bool, is_expansion: bool) -> Words:
    """Judge a text block of a user line.

    Args:
        said: the block's text.
        record: the line it stands in.
        is_side: whether the line belongs to a sub-agent's thread: then its user is the lead.
        is_expansion: whether the line answers a slash command: then it is the command's prompt file.
    """
    if record.get("isCompactSummary") is True:
        return Words("summary", 1, said)
    if is_harness_only(said) or is_expansion or _is_inserted(record):
        recalled = [span for span in injected_spans(said) if span.kind == "recalled"]
        return Words("system", 1, said, disjoint(said, recalled))
    if is_side:
        return Words("user", 2, said, disjoint(said, injected_spans(said)))
    if _is_program(record):
        return Words("user", 1, said, disjoint(said, injected_spans(said)))
    return Words("user", 3, said, typed_spans(said, [*injected_spans(said), *_plan(said, record)]))


def _is_inserted(record: dict[str, Any]) -> bool:
    """Whether the harness put the line there: a skill's text, a notification, another agent's message."""
    if any(record.get(mark) is True for mark in ("isMeta", "isSynthetic", "isVisibleInTranscriptOnly")):
        return True
    sender = text(table(record.get("origin")).get("kind"))
    return bool(record.get("sourceToolUseID")) or sender not in {"", "human"}


def _is_program(record: dict[str, Any]) -> bool:
    """Whether a program wrote the prompt: through the SDK, a GitHub action, or `claude -p`, whose lines say `session_id`."""
    if text(table(record.get("origin")).get("kind")) == "human":
        return False
    return text(record.get("entrypoint")).startswith(_PROGRAMS) or "session_id" in record


def _plan(said: str, record: dict[str, Any]) -> list[Span]:
    """A plan that the user accepted was written by an agent, although the log has it as the user's message."""
    if not text(record.get("planContent")):
        return []
    first_line = said.find("\n")
    return [Span(first_line, len(said), "pasted")] if first_line >= 0 else []
