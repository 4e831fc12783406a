"""Errors that were seen, and the step that got past them: what a session's failed tool calls teach."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentflows.change import Observation, Quote
from agentflows.dream.absent import NOT_THERE
from agentflows.dream.failures import (
    CHECK_RUN,
    FROM,
    LOOK_AHEAD,
    Failure,
    diagnose,
    echo_span,
    echoed_steps,
    is_test_first,
    is_test_head,
    readable,
)
from agentflows.dream.fixes import Fix, configured, find_fix
from agentflows.dream.quotes import quote_at
from agentflows.dream.scopes import scope_of
from agentflows.dream.steps import Step, steps_of
from agentflows.session import Session, Turn
from agentflows.signature import sentences
from agentflows.signature.command import head_of

_SHORT = 300
_UNRELATED = re.compile(
    r"(?i)\bpre-?existing\b|\bunrelated\b|\bnot (?:related|caused|due|from (?:my|our|this))|\bleft-?over\b|\bpick(?:ed|ing|s)? up\b"
)
_CODE_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class _Said:
    """What an observation of an error says."""

    subject: str
    attribute: str
    claim: str
    value: str = ""


def errors_seen(session: Session) -> list[Observation]:
    """What the session's errors teach: one observation for each thing that failed, however often it did."""
    steps = steps_of(session)
    found: dict[tuple[str, str], list[tuple[Failure, Fix | None]]] = {}
    for step in steps:
        failure = diagnose(step)
        if failure is None:
            continue
        failure = _of_the_setup(failure, steps)
        if failure.is_test and is_test_first(failure, steps):
            continue
        found.setdefault((failure.subject, failure.attribute), []).append((failure, find_fix(failure, steps)))
    observed = [_observation(session, group) for group in found.values()]
    return observed + check_runs(session, steps) + foreign_failures(session, steps)


def _of_the_setup(failure: Failure, steps: Sequence[Step]) -> Failure:
    """A check that failed and passed once settings were edited: the setup was wrong, and its error says how."""
    if not failure.is_check or not configured(failure, steps[: failure.step.index + LOOK_AHEAD]):
        return failure
    return replace(failure, attribute=failure.step.signature, is_check=False, is_test=False)


def check_runs(session: Session, steps: Sequence[Step]) -> list[Observation]:
    """Runs of several checks (a commit hook) that stopped: counted for the first check of the run.

    A hook that runs tests, style and types stops at any of them; the lesson is to run it all before.
    """
    stopped: list[tuple[Failure, str]] = []
    for step in steps:
        failure = diagnose(step)
        if failure is None or failure.step.result is None:
            continue
        ran = echoed_steps(failure.result.text)
        if len(ran) > 1 and is_test_head(head_of(ran[0])) and not is_test_head(failure.subject):
            stopped.append((failure, ran[0]))
    if not stopped:
        return []
    failure, first = stopped[0]
    subject = head_of(first)
    at = failure.result.text.find("$ " + first)
    quotes = [
        quote_at(session, failure.result.seq, at, at + 2 + len(first)),
        quote_at(session, failure.result.seq, *failure.step.error_span),
        *_command_quotes(session, failure.step),
    ]
    return [_observed(session, _Said(subject, CHECK_RUN, _run_claim(subject)), quotes, len(stopped))]


def foreign_failures(session: Session, steps: Sequence[Step]) -> list[Observation]:
    """Checks that failed over files the work never touched, as the agent said and the output shows."""
    found: dict[tuple[str, str], Observation] = {}
    for step in steps:
        failure = diagnose(step)
        if failure is None or not failure.is_check:
            continue
        for turn, (start, end), place in _unrelated_places(session, failure.result):
            attribute = f"{FROM}{place}"
            line = _line_with(failure.result.text, place)
            quotes = [
                quote_at(session, turn.seq, start, end),
                quote_at(session, failure.result.seq, *line),
                *_echo_quotes(session, failure),
                *_command_quotes(session, failure.step),
            ]
            claim = (
                f"Failures of `{failure.subject}` under `{place}` did not come from the change: "
                f"files in `{place}` were picked up. Look there first, and clear leftovers out of it."
            )
            removal = _removal(failure.step, steps, place)
            quotes += _command_quotes(session, removal) if removal else []
            said = _Said(failure.subject, attribute, claim, f"empty {place}" if removal else "")
            found.setdefault((failure.subject, attribute), _observed(session, said, quotes, 1))
    return list(found.values())


def _observation(session: Session, group: list[tuple[Failure, Fix | None]]) -> Observation:
    """One observation for all failures of one kind; the one whose fix is clearest speaks for them."""
    order = {"unwrapped": 0, "fixer": 1, "reread": 2, "changed": 3, "instead": 4}
    failure, fix = min(group, key=lambda pair: order[pair[1].kind] if pair[1] else 9)
    quotes = [
        quote_at(session, failure.result.seq, *failure.step.error_span),
        *_echo_quotes(session, failure),
        *_command_quotes(session, failure.step),
    ]
    if fix:
        quotes += _command_quotes(session, fix.step, fix.fields)
    if failure.is_test:
        claim = _run_claim(failure.subject)
    elif failure.is_check:
        claim = f"`{failure.subject}` fails on files just edited: run it before committing"
        claim += f"; {fix.claim}" if fix else "."
    elif failure.attribute == NOT_THERE:
        claim = f"`{failure.subject}` is not there." + (f" {fix.claim}" if fix else "")
    else:
        claim = f"`{failure.subject}` fails: {readable(failure.attribute)}." + (
            f" {fix.claim}" if fix else ""
        )
    said = _Said(failure.subject, failure.attribute, claim, fix.value if fix else "")
    return _observed(session, said, quotes, len(group))


def _observed(session: Session, said: _Said, quotes: Sequence[Quote], failures: int) -> Observation:
    return Observation(
        session_id=session.session_id,
        root_id=session.root_id,
        kind="error",
        subject=said.subject,
        attribute=said.attribute,
        scope=scope_of(session),
        claim=said.claim,
        value=said.value,
        quotes=tuple(quotes),
        at=quotes[0].at,
        stats={"failures": failures},
    )


def _run_claim(subject: str) -> str:
    return (
        f"The check run that starts with `{subject}` failed, by hand or as a commit hook. "
        "Run all of it before committing, and know which failures were there before."
    )


def _command_quotes(session: Session, step: Step, fields: Sequence[str] = ()) -> list[Quote]:
    """The command of a shell call; of another tool's call its whole input, or of a long one the named fields."""
    text = step.call.text
    if not step.command:
        if 0 < len(text) <= _SHORT:
            return [quote_at(session, step.call.seq, 0, len(text))]
        places = [(text.find(f'"{name}":') + 1, len(name)) for name in fields or sorted(step.given)[:1]]
        return [quote_at(session, step.call.seq, at, at + length) for at, length in places if at > 0]
    written = _json_inside(step.command.split("\n")[0])
    at = text.find(written)
    return [quote_at(session, step.call.seq, at, at + len(written))] if at >= 0 and written else []


def _echo_quotes(session: Session, failure: Failure) -> list[Quote]:
    """The line by which a runner names the step that failed."""
    span = echo_span(failure.result.text, failure.subject)
    return [quote_at(session, failure.result.seq, *span)] if span else []


def _json_inside(text: str) -> str:
    """`text` as it stands inside a JSON string of a call's canonical input."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")


def _unrelated_places(session: Session, result: Turn) -> list[tuple[Turn, tuple[int, int], str]]:
    """Sentences of the agent, soon after, that call failures unrelated and name where they lie."""
    found: list[tuple[Turn, tuple[int, int], str]] = []
    checked = echoed_steps(result.text)
    agent = [turn for turn in session.turns if turn.seq > result.seq and turn.thread == result.thread]
    for turn in [turn for turn in agent[:30] if turn.kind == "agent"][:4]:
        for start, end in sentences(turn.text):
            sentence = turn.text[start:end]
            for place in _CODE_SPAN.findall(sentence) if _UNRELATED.search(sentence) else []:
                folder = place.rstrip("/").removeprefix("./") + "/"
                is_folder = "/" in place and " " not in place and "." not in place.removeprefix("./")
                if is_folder and folder in result.text and not any(folder in ran for ran in checked):
                    found.append((turn, (start, end), folder))
    return found


def _removal(failed: Step, steps: Sequence[Step], place: str) -> Step | None:
    """The later step that deleted what lay there."""
    name = place.rstrip("/")
    later = (step for step in steps[failed.index + 1 :] if name in step.command)
    return next((step for step in later if any(head in {"rm", "git clean"} for head in step.heads)), None)


def _line_with(text: str, part: str) -> tuple[int, int]:
    at = text.find(part)
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return (start, len(text) if end < 0 else end)
