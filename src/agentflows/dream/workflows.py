"""Workflows: the checks that sessions run before they commit, in the order they run them."""

from agentflows.change import Observation, Quote
from agentflows.dream.errors_seen import FIXING, is_check_head, is_test_head
from agentflows.dream.quotes import quote_at
from agentflows.dream.steps import Step, steps_of
from agentflows.session import Session

_PUBLISHING = frozenset({"git commit", "git push", "hg commit", "jj commit"})
_MAX_CHECKS = 4


def checks_before_commit(session: Session) -> list[Observation]:
    """What was checked before the session's last commit that went through; nothing for fewer than two checks."""
    steps = steps_of(session)
    commits = [step for step in steps if step.passed and commit_head(step)]
    if not commits:
        return []
    checks: dict[str, Step] = {}
    for step in steps[: commits[-1].index]:
        for head in step.heads if step.command else []:
            if (
                (is_test_head(head) or is_check_head(head))
                and not FIXING.search(head)
                and head in step.call.text
            ):
                checks.setdefault(head, step)
    if not 2 <= len(checks) <= _MAX_CHECKS:
        return []
    committed = commit_head(commits[-1])
    listed = ", ".join(f"`{head}`" for head in checks)
    quotes = [_quote(session, step, head) for head, step in checks.items()]
    return [
        Observation(
            session_id=session.session_id,
            root_id=session.root_id,
            kind="workflow",
            subject=committed,
            attribute="checks before it",
            scope=session.project,
            claim=f"Before `{committed}`, sessions run {listed}.",
            quotes=(*quotes, _quote(session, commits[-1], committed)),
            at=commits[-1].call.at,
        )
    ]


def commit_head(step: Step) -> str:
    """The committing command of a step, also behind a wrapper (`tool git commit`); "" when there is none."""
    for command in step.chain:
        for head in _PUBLISHING:
            if f" {head} " in f" {command} ":
                return head
    return ""


def _quote(session: Session, step: Step, head: str) -> Quote:
    at = step.call.text.find(head)
    return quote_at(session, step.call.seq, at, at + len(head))
