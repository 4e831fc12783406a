"""Hints: where to look in each session, as the archive's pattern queries say."""

from collections.abc import Collection, Mapping
from typing import Any, Literal, cast

from agentflows.dream.engine import Hint, Mined
from agentflows.dream.outcomes import OUTCOME_QUERIES

_HINTING: tuple[tuple[str, Literal["error", "fix", "correction", "retry", "outlier", "recurring"]], ...] = (
    ("error_signatures", "error"),
    ("error_fixes", "fix"),
    ("user_corrections", "correction"),
    ("retry_loops", "retry"),
    ("repeated_requests", "recurring"),
)
MINED = tuple(dict.fromkeys([*(name for name, _ in _HINTING), *OUTCOME_QUERIES]))
"""The pattern queries whose rows a dream uses."""
_ROUGHLY = (2, 10, 100, 1_000)
_MAX_EACH = 60
"""Hints for one session; the earliest rows of a query are the best supported."""


def hints(mined: Mined, session_ids: Collection[str]) -> dict[str, list[Hint]]:
    """The hints for these sessions, by session, in turn order."""
    wanted = set(session_ids)
    found: dict[str, list[Hint]] = {}
    for name, signal in _HINTING:
        for row in mined.get(name, []):
            note = _note(name, row)
            for session_id, seq in _places(row):
                held = found.setdefault(session_id, []) if session_id in wanted else []
                hint = Hint(seq=seq, signal=signal, note=note)
                if session_id in wanted and len(held) < _MAX_EACH and hint not in held:
                    held.append(hint)
    return {
        session_id: sorted(found[session_id], key=lambda hint: (hint.seq, hint.signal, hint.note))
        for session_id in sorted(found)
    }


def _places(row: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Every turn a row points at."""
    addresses = [str(address) for address in cast("list[object]", row.get("addresses") or [])]
    addresses.extend(str(row[name]) for name in ("before_address", "after_address") if row.get(name))
    own = [row[name] for name in ("seq", "first_seq") if row.get("session_id") and row.get(name) is not None]
    addresses.extend(f"{row['session_id']}#{seq}" for seq in own)
    parted = [address.rpartition("#") for address in dict.fromkeys(addresses)]
    return [(session_id, int(seq)) for session_id, mark, seq in parted if mark and seq.isdigit()]


def _note(name: str, row: Mapping[str, Any]) -> str:
    """What is known about it from other sessions."""
    sessions = _often(int(row.get("sessions") or 0))
    what = {
        "error_signatures": row.get("head"),
        "error_fixes": f"{row.get('head')} then {row.get('fix_head')}",
        "user_corrections": row.get("kind"),
        "retry_loops": f"{row.get('head')} {row.get('times')} times",
        "repeated_requests": row.get("request"),
    }[name]
    return " ".join(part for part in (str(what or ""), sessions) if part)


def _often(sessions: int) -> str:
    """In how many sessions, roughly: a count that grew by one must not make another question of every session."""
    reached = [most for most in _ROUGHLY if sessions >= most]
    if sessions < 1:
        return ""
    return f"in {reached[-1]} or more sessions" if reached else "in 1 session"
