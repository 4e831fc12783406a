"""Tool results of Claude Code: their text, whether they are errors, what in them is memory, what the user said there."""

from dataclasses import dataclass
from typing import Any

from agentflows.readers.claude_code.harness import injected_spans
from agentflows.readers.fields import items, table, tables, text
from agentflows.readers.recalled import recalled_lines
from agentflows.readers.typed import disjoint
from agentflows.session import Span

_REJECTED = "The user doesn't want to proceed with this tool use."
_REASON = "the user said:\n"
_TOOL_ERROR = "<tool_use_error>"
_OWN_WORDS = frozenset(
    {"Edit", "MultiEdit", "Write", "NotebookEdit", "ExitPlanMode", "EnterPlanMode", "TodoWrite"}
)
"""Tools whose errors the harness words itself. A shell's error is what a program printed, a fetch's what a page says."""
_QUESTIONS = "AskUserQuestion"


@dataclass(frozen=True, slots=True)
class Result:
    """One tool result."""

    text: str
    is_error: bool
    spans: tuple[Span, ...]
    said: tuple[str, ...]
    """What the user typed into the harness's own dialogue: a reason for refusing, an answer in their own words."""


def read_result(block: dict[str, Any], record: dict[str, Any], *, tool: str, is_memory: bool) -> Result:
    """Read a `tool_result` block.

    Args:
        block: the block.
        record: the line it stands in. The harness alone writes its `toolUseResult` and, in newer versions, its
            `toolDenialKind`.
        tool: the tool that was called.
        is_memory: whether the call read a memory file.
    """
    report = record.get("toolUseResult")
    content = block_text(block.get("content"))
    is_error = (
        block.get("is_error") is True or content.startswith(_TOOL_ERROR) or text(report).startswith("Error:")
    )
    is_refused = is_error and (tool in _OWN_WORDS or record.get("toolDenialKind") == "user-rejected")
    content, reason = _refusal(content) if is_refused and tool != _QUESTIONS else (content, "")
    said = (reason,) if reason else tuple(_own_answers(tool, report))
    spans = [Span(0, len(content), "recalled")] if is_memory else injected_spans(content)
    spans += recalled_lines(tool, content)
    return Result(content, is_error, disjoint(content, spans), said)


def block_text(content: Any) -> str:
    """The text of a result or message: a string, or a list of blocks of which only text can be shown."""
    if isinstance(content, str):
        return content
    return "\n".join(shown for block in items(content) if (shown := _shown(block)))


def _shown(block: Any) -> str:
    if isinstance(block, str):
        return block
    fields = table(block)
    match fields.get("type"):
        case "text":
            return text(fields.get("text"))
        case "tool_reference":
            return f"[tool {text(fields.get('tool_name'))}]"
        case "image" | "document" as kind:
            media = text(table(fields.get("source")).get("media_type"))
            return f"[{kind} {media}]" if media else f"[{kind}]"
        case _:
            return ""


def _refusal(content: str) -> tuple[str, str]:
    """Part what the harness says of a refused call from the reason the user typed."""
    if not content.startswith(_REJECTED):
        return content, ""
    head, mark, reason = content.partition(_REASON)
    return head + mark.rstrip("\n"), reason


def _own_answers(tool: str, report: Any) -> list[str]:
    """Answers to the agent's questions that are none of the offered choices: the user typed them."""
    if tool != _QUESTIONS:
        return []
    offered = {
        text(option.get("label"))
        for question in tables(table(report).get("questions"))
        for option in tables(question.get("options"))
    }
    answers = [text(answer) for answer in table(table(report).get("answers")).values()]
    return [answer for answer in answers if answer and not _is_choice(answer, offered)]


def _is_choice(answer: str, offered: set[str]) -> bool:
    """Whether the answer is an offered choice, or several of them joined."""
    rest = answer
    for label in sorted(offered, key=len, reverse=True):
        rest = rest.replace(label, "") if label else rest
    return not rest.strip(" ,")
