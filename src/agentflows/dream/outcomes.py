"""Outcomes: what separates sessions that failed from sessions that succeeded, as counted over the archive.

The counts, tests and intervals are the archive's (`outcome_features`, `failed_checks`).
Here is decided what of them may be said, and how: an association is called one, what vanishes within tasks
is refused in the open, and what could not be tested within tasks says so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentflows.change import Pattern, Quote, Refusal, identity
from agentflows.dream.engine import Mined
from agentflows.dream.failures import readable
from agentflows.dream.gates import low_water
from agentflows.dream.quotes import find_turn, quote_at
from agentflows.dream.scopes import project_of
from agentflows.session import Session, Turn
from agentflows.signature import error_line, is_shell

OUTCOME_QUERIES = ("outcome_features", "failed_checks")
"""The pattern queries this rests on."""

TurnsOf = Callable[[str], Sequence[Turn]]
"""The turns of one session of the archive."""

_RESULTS = frozenset({"database_as_expected", "environment", "behaved_as_described"})
"""Checks that say that the result was wrong, not what made it so."""
_GATE = "stratified_lift"
_OWED = frozenset(
    {"wrong_args", "missing_write", "missing_user_action", "no_transfer_when_expected", "told_the_user"}
)
"""Checks that say that something the result called for was not done, or done otherwise."""
_MIN_RATE = 0.8
"""A check that fails in fewer of its sessions than this is no cause of failure."""
_MIN_SHARE = 0.03
"""A cause of fewer failures than this is a one-off."""
_FEW, _FEW_SHARE = 3, 0.2
"""Fewer sessions than this are said of only where they are this share of all failures."""
_MIN_UNTESTED = 5
_MIN_DIFFERENCE = 0.15
"""In failure rates: many sessions make any difference significant, and none of those worth acting on."""
_MAX_QUOTE = 600
_MAX_QUOTED = 5
"""Sessions that are quoted for one pattern."""
_CONFIDENCE = 0.95

_CHECKS = {
    "unexpected_write": (
        "`{0}` was called although the result did not call for it",
        "Make sure that it applies before calling it.",
    ),
    "wrong_args": (
        "`{0}` was called with other arguments than the result called for",
        "Check every argument before calling it.",
    ),
    "missing_write": (
        "`{0}` was called for and not made",
        "Do not end without it where the request calls for it.",
    ),
    "missing_user_action": ("the user was never brought to do `{0}`", "Ask for it before giving up."),
    "transferred_when_not_expected": (
        "the work was handed to a person although the result did not call for it",
        "Finish what the rules allow before handing over.",
    ),
    "no_transfer_when_expected": (
        "the work was not handed to a person although the result called for it",
        "Hand over what the rules do not allow.",
    ),
    "told_the_user": ("the user was not told all that was asked", "Answer every question before ending."),
}
"""How names of checks read: what was wrong, and what to do about it."""


def outcome_patterns(
    mined: Mined, turns_of: TurnsOf, *, support: int = 3
) -> tuple[list[Pattern], list[Refusal]]:
    """What may be said about failure and success, and what looked like it and is refused.

    `support` is the number of distinct sessions below which nothing is said. Every count is of one project.
    """
    believed, refused = _features(mined.get("outcome_features", []), support)
    patterns = [_feature_pattern(row, turns_of) for row in believed]
    for row in mined.get("failed_checks", []):
        found = _check(row, turns_of, support)
        if isinstance(found, Refusal):
            refused.append(found)
        elif found:
            patterns.append(found)
    return [pattern for pattern in patterns if pattern.quotes], refused


def feature_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """A feature's kind and what it is about: `uses:Edit` is `("uses", "Edit")`."""
    kind, _, about = str(row.get("feature", "")).partition(":")
    return kind, about


def _features(
    rows: Sequence[Mapping[str, Any]], support: int
) -> tuple[list[Mapping[str, Any]], list[Refusal]]:
    """The features that are believed, one for each thing they are about; what vanishes is refused."""
    believed: dict[tuple[str, str], Mapping[str, Any]] = {}
    refused: list[Refusal] = []
    for row in sorted(rows, key=lambda row: (number(row, "fisher_p"), str(row.get("feature")))):
        if int(row["n"]) < support or number(row, "q") > 0.05 or _says_nothing(row):
            continue
        reason = _why_not(row)
        if reason:
            claim = f"{describe(row)}: {int(row['fail'])} of {int(row['n'])} sessions failed."
            refused.append(Refusal(gate=_GATE, reason=reason, claim=claim, key=f"outcome|{row['feature']}"))
        elif row.get("believed"):
            believed.setdefault((_project(row), _thing(row)), row)
    return list(believed.values()), refused


def _project(row: Mapping[str, Any]) -> str:
    return project_of(str(row.get("project") or ""))


def _says_nothing(row: Mapping[str, Any]) -> bool:
    """Whether a feature leaves open what was done: that a shell was used, or that some command in it failed."""
    kind, about = feature_of(row)
    return kind.startswith(("uses", "err")) and kind != "errmsg" and is_shell(about)


def _thing(row: Mapping[str, Any]) -> str:
    """The tool a feature is about: being called, called twice and failing are one thing to say."""
    kind, about = feature_of(row)
    return (
        about.split(".")[0]
        if kind.startswith(("uses", "err", "arg")) and kind != "errmsg"
        else f"{kind}:{about}"
    )


def _why_not(row: Mapping[str, Any]) -> str:
    """Why a feature with a significant difference is not believed; "" when it may be."""
    crude = f"over all sessions {p_value(row, 'fisher_p')}"
    if row.get("stratified") == "vanishes":
        return (
            f"{crude}, but within tasks the difference vanishes (odds ratio {_ratio(row)}, {p_value(row, 'cmh_p')}, "
            f"{int(row['strata'])} tasks with both results): the tasks differ, not what was done"
        )
    kind = feature_of(row)[0]
    untried = number(row, "tasks") >= int(row["n"]) and not kind.startswith(("err", "repeats"))
    if row.get("stratified") == "no_strata" and (untried or number(row, "risk_difference") < 0):
        return f"{crude}, but no task has both results: it cannot be told from which tasks are easy or hard"
    if row.get("stratified") == "no_strata" and int(row["n"]) < _MIN_UNTESTED:
        return f"{crude}, but no task has both results, and {int(row['n'])} sessions are too few to go by"
    rates = f"{percent(number(row, 'p_fail'))} against {percent(number(row, 'p_fail_without'))}"
    if row.get("believed") and abs(number(row, "risk_difference")) < _MIN_DIFFERENCE:
        return f"{crude}, but the difference is small: {rates} fail"
    if row.get("stratified") == "no_strata" and (kind == "err" or _at_least(row) < _MIN_DIFFERENCE):
        return f"{crude}, but no task has both results, and that is too little to rule out the tasks: {rates} fail"
    if kind == "arg" and row.get("stratified") != "holds":
        return f"{crude}, but an argument's value follows from the task, and within tasks it was not shown"
    return ""


def _at_least(row: Mapping[str, Any]) -> float:
    """How far the whole interval of the failure rate lies above the rate without the feature."""
    return number(row, "p_fail_low") - number(row, "p_fail_without")


def describe(row: Mapping[str, Any]) -> str:
    """A feature in words."""
    kind, about = feature_of(row)
    told = {
        "uses": f"`{about}` was called",
        "uses>=2": f"`{about}` was called twice or more",
        "err": f"`{about}` gave an error",
        "errmsg": f"the error “{readable(about)}” came up",
        "arg": f"`{about.partition('.')[0]}` was called with `{about.partition('.')[2]}`",
        "no_error": "no call gave an error",
        "no_write_made": "nothing was written",
        "repeats_identical_call": "the same call was made again unchanged",
    }
    return told.get(kind, f"`{row.get('feature', '')}`")


def _feature_pattern(row: Mapping[str, Any], turns_of: TurnsOf) -> Pattern:
    kind, about = feature_of(row)
    what = describe(row)
    rate, other = percent(number(row, "p_fail")), percent(number(row, "p_fail_without"))
    counted = (
        f"{what[0].upper()}{what[1:]} in {int(row['n'])} sessions, and {int(row['fail'])} of them failed "
        f"({rate}, {_interval(row)}), against {other} without it."
    )
    certain = "An association, not a proven cause: " + _standing(row)
    claim = f"{counted} {certain} {_advice(row)}".strip()
    quotes = _quotes([str(address) for address in _listed(row, "addresses")], turns_of)
    subject = readable(about) if kind == "errmsg" else about or kind
    return _pattern(subject, f"{kind} and failure", claim, row, quotes)


def _standing(row: Mapping[str, Any]) -> str:
    if row.get("stratified") == "holds":
        return f"within tasks it holds too (odds ratio {_ratio(row)}, {p_value(row, 'cmh_p')})."
    if row.get("stratified") == "untestable":
        return "too few tasks had both results to test it within tasks; none speaks against it."
    if row.get("stratified") == "no_strata":
        return "no task had both results, so it may be the tasks that differ."
    return f"within tasks it was not confirmed ({p_value(row, 'cmh_p')})."


def _advice(row: Mapping[str, Any]) -> str:
    kind, about = feature_of(row)
    if number(row, "risk_difference") <= 0:
        return ""
    if kind.startswith("uses"):
        return f"Take extra care with work that needs `{about}`."
    if kind == "repeats_identical_call":
        return "Sessions that fail also go on longer; but change something before calling again."
    return "Prevent it rather than repeat the call." if kind in {"err", "errmsg"} else ""


def _check(row: Mapping[str, Any], turns_of: TurnsOf, support: int) -> Pattern | Refusal | None:
    """A lesson from a check that the sessions' source made; refused where sessions succeed in spite of it."""
    failed, succeeded = int(row["failed_sessions"]), int(row["succeeded_sessions"])
    name = str(row["name"])
    kind, _, about = name.partition(":")
    if failed < support or number(row, "share_of_failures") < _MIN_SHARE:
        return None
    if kind in _RESULTS:
        return None
    if failed < _FEW and number(row, "share_of_failures") < _FEW_SHARE:
        return None
    what, advice = _CHECKS.get(kind, (f"the check `{name}` failed", ""))
    what = what.format(about)
    reason = _why_no_cause(row)
    if reason:
        return Refusal(
            gate=_GATE, reason=reason, claim=f"{what[0].upper()}{what[1:]}.", key=f"outcome|{name}"
        )
    total = round(failed / number(row, "share_of_failures"))
    claim = (
        f"In {failed} of {total} failed sessions {what}, as their own outcome checks say; "
        f"of the sessions that succeeded, in {succeeded}. {advice}"
    ).strip()
    shown = {**row, "fail": failed, "ok": succeeded, "failed_in_all": total}
    ids = [str(session_id) for session_id in _listed(row, "session_ids")]
    quotes = [
        quote for session_id in ids[:_MAX_QUOTED] for quote in _check_quotes(session_id, about, turns_of)
    ]
    return _pattern(about or kind, kind if about else "check failed", claim, shown, quotes)


def _why_no_cause(row: Mapping[str, Any]) -> str:
    """Why a check that failed is no cause of failure; "" when it may be.

    What the result called for and did not get stands against it by itself. What was done besides may be harmless:
    once a session succeeded in spite of it, sessions of the same task must fail more often with it, and where no
    task can tell, its rate must lie above that of the other sessions by more than chance.
    """
    failed, succeeded = int(row["failed_sessions"]), int(row["succeeded_sessions"])
    counts = f"{succeeded} sessions succeeded all the same, {failed} failed"
    if number(row, "p_fail") < _MIN_RATE:
        return f"{counts}: no cause of failure"
    is_owed = str(row["name"]).partition(":")[0] in _OWED
    if is_owed or not succeeded or row.get("stratified") == "holds":
        return ""
    if row.get("stratified") == "vanishes":
        return (
            f"{counts}, and within tasks it was not confirmed (odds ratio {_ratio(row)}, {p_value(row, 'cmh_p')}, "
            f"{int(row['strata'])} tasks with both results): the tasks differ, not what was done"
        )
    low, other = number(row, "p_fail_low"), number(row, "p_fail_without")
    if low > other:
        return ""
    rates = f"{percent(number(row, 'p_fail'))} ({_interval(row)}) against {percent(other)}"
    return (
        f"{counts}, no task can tell whether it matters, and over all sessions it may be chance: {rates} fail"
    )


def _check_quotes(session_id: str, tool: str, turns_of: TurnsOf) -> list[Quote]:
    """The last call of the tool a check names, else the agent's last words."""
    turns = turns_of(session_id)
    calls = [turn for turn in turns if turn.kind == "tool_call" and turn.tool == tool]
    words = [turn for turn in turns if turn.kind == "agent" and turn.text.strip()]
    chosen = (calls or words)[-1:]
    return [quote for turn in chosen for quote in _quotes([f"{session_id}#{turn.seq}"], turns_of)]


def _listed(row: Mapping[str, Any], name: str) -> list[Any]:
    value: Any = row.get(name)
    return list(value) if isinstance(value, list | tuple) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _quotes(addresses: Sequence[str], turns_of: TurnsOf) -> list[Quote]:
    """What stands at the addresses: an error's line, a call's input, or the first lines of a text."""
    found: list[Quote] = []
    for address in addresses:
        session_id, mark, seq = str(address).rpartition("#")
        if not mark or not seq.isdigit():
            session_id, seq = str(address), ""
        holder = Session(session_id=session_id, format="", reader="", turns=tuple(turns_of(session_id)))
        turn = (
            find_turn(holder, int(seq))
            if seq
            else next((t for t in reversed(holder.turns) if t.kind == "agent"), None)
        )
        if turn is None or not turn.text.strip():
            continue
        start, end = error_line(turn.text) if turn.kind == "tool_result" else (0, len(turn.text))
        if end - start > _MAX_QUOTE:
            line = turn.text.find("\n", start, start + _MAX_QUOTE)
            end = line if line > start else start + _MAX_QUOTE
        if end > start:
            found.append(quote_at(holder, turn.seq, start, end))
    return found


def _pattern(
    subject: str, attribute: str, claim: str, row: Mapping[str, Any], quotes: Sequence[Quote]
) -> Pattern:
    quoted = {quote.root_id or quote.session_id for quote in quotes}
    sessions = sorted({*quoted, *(str(session_id) for session_id in _listed(row, "session_ids"))})
    times = sorted(quote.at for quote in quotes if quote.at)
    scope = _project(row)
    key = f"outcome|{subject}|{attribute}|{scope}".lower()
    return Pattern(
        pattern_id="pat_" + identity(key),
        key=key,
        kind="outcome",
        subject=subject,
        attribute=attribute,
        scope=scope,
        claim=claim,
        sessions=tuple(sessions),
        origins=len({quote.origin for quote in quotes}),
        trust=low_water(quotes),
        first_at=times[0] if times else None,
        last_at=times[-1] if times else None,
        quotes=tuple(quotes),
        stats=_stats(row),
    )


def _stats(row: Mapping[str, Any]) -> dict[str, float]:
    """The row's finite numbers, and the confidence its interval has."""
    numbers = {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return {**numbers, "confidence": _CONFIDENCE}


def number(row: Mapping[str, Any], name: str) -> float:
    """A number of the row; one that is absent or empty is 0, a p-value 1."""
    value = row.get(name)
    if value is None:
        return 1.0 if name.endswith("_p") or name == "q" else 0.0
    return float(value)


def percent(rate: float) -> str:
    """`96 %`."""
    return f"{rate * 100:.0f} %"


def p_value(row: Mapping[str, Any], name: str) -> str:
    """A p-value as it is written: `p = 0.04`, `p < 0.001`."""
    value = number(row, name)
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def _interval(row: Mapping[str, Any]) -> str:
    low, high = number(row, "p_fail_low") * 100, number(row, "p_fail_high") * 100
    return f"{_CONFIDENCE * 100:.0f} % CI {low:.0f}–{high:.0f} %"


def _ratio(row: Mapping[str, Any]) -> str:
    value = row.get("mh_odds_ratio")
    if value is None:
        return "unknown"
    return "infinite" if math.isinf(float(value)) else f"{float(value):.1f}"
