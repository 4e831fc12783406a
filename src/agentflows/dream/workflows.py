"""Workflows: the checks that sessions run before they commit, in the order they run them."""

from agentflows.change import Observation, Quote
from agentflows.dream.failures import is_build_head, is_check_head, is_test_head, is_types_head
from agentflows.dream.fixes import FIXING
from agentflows.dream.quotes import quote_at
from agentflows.dream.scopes import scope_of
from agentflows.dream.steps import Step, steps_of
from agentflows.session import Session
from agentflows.signature.command import head_of

CHECKED_FIRST = "checked first"
"""Attribute of what is run before a commit."""

_COMMITTING = ("git commit", "hg commit", "jj commit")


def checks_before_commit(session: Session) -> list[Observation]:
    """The test and the other check that stood before the session's last commit that went through.

    One of each only, so that sessions that check more still say the same; nothing where one is missing.
    """
    steps = steps_of(session)
    commits = [step for step in steps if step.passed and commit_head(step)]
    if not commits:
        return []
    checks = _checks(steps[: commits[-1].index], programs={step.head.split()[0] for step in steps})
    tests = [head for head in checks if is_test_head(head)]
    others = [head for head in checks if not is_test_head(head)]
    if not tests or not others:
        return []
    chosen = (tests[0], min(others, key=is_types_head))
    committed = commit_head(commits[-1])
    quotes = [_quote(session, checks[head], head) for head in chosen]
    return [
        Observation(
            session_id=session.session_id,
            root_id=session.root_id,
            kind="workflow",
            subject=committed,
            attribute=CHECKED_FIRST,
            scope=scope_of(session),
            claim=f"Run `{chosen[0]}` and `{chosen[1]}` before `{committed}`, as sessions do.",
            quotes=(*quotes, _quote(session, commits[-1], committed)),
            at=commits[-1].call.at,
        )
    ]


def commit_head(step: Step) -> str:
    """The committing command of a step, also behind a wrapper (`tool git commit`); "" when there is none."""
    found = (head for command in step.chain for head in _COMMITTING if f" {head} " in f" {command} ")
    return next(found, "")


def _checks(steps: list[Step], programs: set[str]) -> dict[str, Step]:
    """The checks by their heads, in order of first use; commands that repair are none."""
    found: dict[str, Step] = {}
    for step in steps:
        for command in step.chain:
            head = _inner_head(command, programs)
            is_check = is_test_head(head) or (is_check_head(head) and not is_build_head(head))
            if is_check and not FIXING.search(head) and head in step.call.text:
                found.setdefault(head, step)
    return found


def _inner_head(command: str, programs: set[str]) -> str:
    """The head of the command itself, or of the check it wraps: `tool test npm test` is `npm test`."""
    words = command.split()
    for at in range(1, len(words)):
        inner = head_of(" ".join(words[at:])) if words[at] in programs else ""
        if is_test_head(inner) or is_check_head(inner):
            return inner
    return head_of(command)


def _quote(session: Session, step: Step, head: str) -> Quote:
    at = step.call.text.find(head)
    return quote_at(session, step.call.seq, at, at + len(head))
