"""The books of nested budgets, in SQL: setting money aside, what calls cost, and the log of calls. Each within a transaction.

Money is counted in billionths of a dollar, so that sums are exact.
"""

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agentflows.budget import REFUSED, CallLike
from agentflows.change import Budget
from agentflows.errors import BudgetError, UsageError
from agentflows.store.opened import new_id
from agentflows.store.quick import Upsert, table_of
from agentflows.store.tables import BudgetRow, CallRow, ReservationRow

NANO = 1_000_000_000

_BUDGET, _RESERVATION, _CALL = table_of(BudgetRow), table_of(ReservationRow), table_of(CallRow)
_LEVELS: BindParameter[Any] = bindparam("levels", expanding=True)
_SUMS = (
    "spent_tokens",
    "spent_nano",
    "reserved_tokens",
    "reserved_nano",
    "calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
)
_LOCKED = select(_BUDGET).where(_BUDGET.c.level.in_(_LEVELS)).order_by(_BUDGET.c.level).with_for_update()
"""In one order, so that two calls cannot wait for each other."""
_CHANGED = (
    update(_BUDGET)
    .where(_BUDGET.c.level.in_(_LEVELS))
    .values({name: _BUDGET.c[name] + bindparam(f"add_{name}", type_=_BUDGET.c[name].type) for name in _SUMS})
)
_CLOSED = (
    update(_RESERVATION)
    .where(_RESERVATION.c.reservation_id == bindparam("closed"), _RESERVATION.c.state == "open")
    .values(state=bindparam("as_state"))
    .returning(_RESERVATION.c.levels, _RESERVATION.c.tokens, _RESERVATION.c.nano)
)
_STATE = select(_RESERVATION.c.state).where(_RESERVATION.c.reservation_id == bindparam("asked"))


@dataclass(frozen=True, slots=True)
class Booking:
    """What became of one reservation."""

    reservation_id: str
    tokens: int
    """That the call used."""
    nano: int
    """That it cost."""
    is_refund: bool = False
    """The call certainly never ran: all of it comes back."""


def open_levels(connection: Connection, levels: Mapping[str, Budget]) -> None:
    """Make the levels, or give those there are the ceilings of now. What was spent stays spent."""
    rows = [
        BudgetRow(
            level=level,
            ceiling_tokens=budget.tokens,
            ceiling_nano=None if budget.dollars is None else round(budget.dollars * NANO),
        ).model_dump()
        for level, budget in sorted(levels.items())
    ]
    connection.execute(_opening(connection.dialect.name), rows)


@functools.cache
def _opening(dialect: str) -> Upsert:
    insert_into = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(_BUDGET)
    ceilings = {name: insert_into.excluded[name] for name in ("ceiling_tokens", "ceiling_nano")}
    return insert_into.on_conflict_do_update(index_elements=["level"], set_=ceilings)


def reserve(
    connection: Connection, levels: Sequence[str], tokens: int, nano: int, purpose: str, now: datetime
) -> str | BudgetError:
    """Set aside on every level; the reservation's id, or why a level does not allow it: then nothing was set aside."""
    rows = connection.execute(_LOCKED, {"levels": list(levels)}).all()
    if len(rows) != len(levels) or any(_over(row, tokens, nano) for row in rows):
        return _refusal(rows, tokens, nano, purpose)
    _change(connection, levels, Counter(reserved_tokens=tokens, reserved_nano=nano, calls=1))
    reservation_id = new_id("rsv")
    row = {
        "reservation_id": reservation_id,
        "levels": json.dumps(list(levels)),
        "tokens": tokens,
        "nano": nano,
        "purpose": purpose,
        "state": "open",
        "at": now,
    }
    connection.execute(insert(_RESERVATION), row)
    return reservation_id


def book(
    connection: Connection,
    bookings: Sequence[Booking],
    calls: Sequence[CallLike],
    levels: Sequence[str],
    now: datetime,
) -> None:
    """Close reservations, log calls, and count the calls' usage on `levels`.

    Raises:
        UsageError: a reservation is unknown or no longer open.
    """
    sums: dict[tuple[str, ...], Counter[str]] = {}
    for one in bookings:
        held, found = _closed(connection, one)
        sums.setdefault(held, Counter()).update(found)
    if calls:
        connection.execute(insert(_CALL), [_call_row(call, now) for call in calls])
        for call in calls:
            sums.setdefault(tuple(levels), Counter()).update(_usage(call))
    for held, change in sorted(sums.items()):
        if connection.dialect.name != "sqlite":
            connection.execute(_LOCKED, {"levels": list(held)})
        _change(connection, held, change)


def _closed(connection: Connection, one: Booking) -> tuple[tuple[str, ...], Counter[str]]:
    state = "refunded" if one.is_refund else "settled"
    row = connection.execute(_CLOSED, {"closed": one.reservation_id, "as_state": state}).first()
    if row is None:
        known = connection.execute(_STATE, {"asked": one.reservation_id}).scalar()
        found = "was never made" if known is None else f"was {known} already"
        msg = f"The reservation {one.reservation_id!r} {found}. Settle or refund each one once."
        raise UsageError(msg)
    back = Counter(reserved_tokens=-row.tokens, reserved_nano=-row.nano)
    back.update({"calls": -1} if one.is_refund else {"spent_tokens": one.tokens, "spent_nano": one.nano})
    return tuple(json.loads(row.levels)), back


def _change(connection: Connection, levels: Sequence[str], change: Counter[str]) -> None:
    connection.execute(_CHANGED, {"levels": list(levels)} | {f"add_{name}": change[name] for name in _SUMS})


def _usage(call: CallLike) -> dict[str, int]:
    return {
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "cache_read_tokens": call.usage.cache_read_tokens,
        "cache_write_tokens": call.usage.cache_write_tokens,
    }


def _call_row(call: CallLike, now: datetime) -> dict[str, Any]:
    return {
        "call_id": new_id("call"),
        "at": now,
        "model": call.model,
        "prompt_sha256": call.prompt_sha256,
        "purpose": call.purpose,
        **_usage(call),
        "lost_tokens": call.lost_tokens,
        "nano": round(call.dollars * NANO),
        "priced": call.priced,
        "outcome": call.outcome,
        "stop_reason": call.stop_reason,
        "seconds": call.seconds,
        "attempts": call.attempts,
        "request_id": call.request_id,
    }


def _refusal(rows: Sequence[Row[Any]], tokens: int, nano: int, purpose: str) -> BudgetError:
    found = "; ".join(reason for row in rows for reason in _over(row, tokens, nano))
    error = BudgetError(
        f"{REFUSED}{purpose!r}: {found or 'one of its levels is gone'}. Raise the budget, or ask for less."
    )
    error.levels = tuple(row.level for row in rows if _over(row, tokens, nano))
    return error


def _over(row: Row[Any], tokens: int, nano: int) -> list[str]:
    found: list[str] = []
    used_tokens, used_nano = row.spent_tokens + row.reserved_tokens, row.spent_nano + row.reserved_nano
    if row.ceiling_tokens is not None and used_tokens + tokens > row.ceiling_tokens:
        found.append(
            f"{row.level!r} may use {row.ceiling_tokens:,} tokens, has used or set aside {used_tokens:,}, "
            f"and {tokens:,} were asked"
        )
    if row.ceiling_nano is not None and used_nano + nano > row.ceiling_nano:
        found.append(
            f"{row.level!r} may spend ${row.ceiling_nano / NANO:.4f}, has spent or set aside "
            f"${used_nano / NANO:.4f}, and ${nano / NANO:.4f} were asked"
        )
    return found
