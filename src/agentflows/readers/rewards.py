"""Outcome labels from what a benchmark's own log records: its reward, and the calls it expected beside those made.

The names of the checks are root causes that can be counted over sessions. A check is recorded as passed where the
same thing could have gone wrong and did not, so that every rate has a denominator.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentflows.readers.fields import canonical, items, table
from agentflows.session import Check, OutcomeLabel, Verdict

_FULL = 1 - 1e-6
_READING = (
    "get_", "find_", "list_", "search_", "check_", "run_", "can_", "is_", "view_", "show_", "read_", "fetch_",
    "lookup_", "query_", "calculate", "think", "assert_",
)  # fmt: skip
_TRANSFER = "transfer_to_human"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: expected by the task, or made and answered without an error."""

    name: str
    arguments: dict[str, Any]
    compared: tuple[str, ...] | None = None
    """The arguments that must agree; None is all of them. Set on expected calls only."""


def reward_label(
    reward: float | None, checks: Sequence[Check] = (), *, source: str = "reward"
) -> OutcomeLabel:
    """The label a reward gives: success exactly when it is full (1, within a millionth)."""
    verdict: Verdict = "unknown" if reward is None else "success" if reward >= _FULL else "failure"
    return OutcomeLabel(verdict=verdict, score=reward, source=source, checks=tuple(checks))


def changes_state(tool: str) -> bool:
    """Whether a tool changes something, by its name: these benchmarks begin the names of all others with a reading verb."""
    return not tool.startswith((*_READING, _TRANSFER))


def call_checks(expected: Sequence[Call], made: Sequence[Call]) -> list[Check]:
    """Compare the calls that change state, and the transfer to a person, with what the task expected.

    * `missing_write:TOOL`: an expected call was not made. Checked where it was expected.
    * `wrong_args:TOOL`: it was made with other arguments. Checked where it was expected and made.
    * `unexpected_write:TOOL`: a call too many was made. Checked where the tool was called.
    * `transferred_when_not_expected`, `no_transfer_when_expected`: checked in the sessions each can happen in.
    """
    checks: list[Check] = []
    for tool in sorted({call.name for call in (*expected, *made) if changes_state(call.name)}):
        checks += _write_checks(tool, _of(tool, expected), _of(tool, made))
    return [*checks, _transfer_check(expected, made)]


def user_checks(expected: Sequence[Call], made: Sequence[Call]) -> list[Check]:
    """`missing_user_action:TOOL` for everything the simulated user should have been told to do: by tool, not arguments."""
    done = {call.name for call in made}
    return [
        Check(name=f"missing_user_action:{tool}", passed=tool in done)
        for tool in sorted({call.name for call in expected if changes_state(call.name)})
    ]


def merged(checks: Iterable[Check]) -> tuple[Check, ...]:
    """One check per name, in order of first appearance: it passed if all of that name did."""
    found: dict[str, Check] = {}
    for check in checks:
        known = found.get(check.name)
        if known is None or (known.passed and not check.passed):
            found[check.name] = check
    return tuple(found.values())


def _of(tool: str, calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.name == tool]


def _write_checks(tool: str, expected: list[Call], made: list[Call]) -> list[Check]:
    left = list(made)
    unmet: list[Call] = []
    for wanted in expected:
        match = next((call for call in left if _agree(wanted, call)), None)
        if match:
            left.remove(match)
        else:
            unmet.append(wanted)
    checks: list[Check] = []
    if expected:
        checks.append(Check(name=f"missing_write:{tool}", passed=len(unmet) <= len(left)))
    if expected and made:
        wrong = list(zip(unmet, left, strict=False))
        detail = "; ".join(_differing(wanted, call) for wanted, call in wrong)
        checks.append(Check(name=f"wrong_args:{tool}", passed=not wrong, detail=detail))
    if made:
        checks.append(Check(name=f"unexpected_write:{tool}", passed=len(left) <= len(unmet)))
    return checks


def _transfer_check(expected: Sequence[Call], made: Sequence[Call]) -> Check:
    should = any(call.name.startswith(_TRANSFER) for call in expected)
    did = any(call.name.startswith(_TRANSFER) for call in made)
    if should:
        return Check(name="no_transfer_when_expected", passed=did)
    return Check(name="transferred_when_not_expected", passed=not did)


def _agree(wanted: Call, made: Call) -> bool:
    if wanted.compared is None:
        return _plain(wanted.arguments) == _plain(made.arguments)
    return all(
        _plain(wanted.arguments.get(name)) == _plain(made.arguments.get(name)) for name in wanted.compared
    )


def _differing(wanted: Call, made: Call) -> str:
    names = wanted.compared or sorted({*wanted.arguments, *made.arguments})
    return ", ".join(
        name for name in names if _plain(wanted.arguments.get(name)) != _plain(made.arguments.get(name))
    )


def _plain(value: Any) -> Any:
    """The value in a form in which 2 equals 2.0 and the order of a list does not matter, as in the databases behind."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in table(value).items()}
    if isinstance(value, list):
        return sorted((_plain(item) for item in items(value)), key=canonical)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value
