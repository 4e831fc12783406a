"""Nested budgets that survive a crash: one statement sets the money aside on every level, or on none.

Also the log of model calls. Money is counted in billionths of a dollar, so that sums are exact.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import CursorResult, Update
from sqlmodel import Session, col, select, update

from agentflows.budget import Call, CallLike, Spend
from agentflows.change import Budget, Cost
from agentflows.errors import BudgetError, UsageError
from agentflows.session import Usage
from agentflows.store.database import Database, insert_missing
from agentflows.store.opened import Opened, new_id
from agentflows.store.tables import BudgetRow, CallRow, ReservationRow

NANO = 1_000_000_000


class LedgerPurse:
    """A purse with a row in the database for each level. Safe for several threads and processes."""

    def __init__(self, database: Database, levels: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._db = database
        self._levels = sorted(levels)
        self._clock = clock

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:
        """Set aside the most that one call can cost, on every level at once.

        Raises:
            BudgetError: a level has less left; the message says which, its ceiling, what is spent and what was asked.
            UsageError: a negative amount.
        """
        if tokens < 0 or dollars < 0:
            msg = f"A call cannot cost {tokens} tokens and ${dollars}. Reserve zero or more."
            raise UsageError(msg)
        nano = math.ceil(dollars * NANO)
        reservation_id = new_id("rsv")
        with self._db.write() as session:
            before = _lock(session, self._levels)
            if _run(session, self._reserving(tokens, nano)).rowcount != len(self._levels):
                raise _refusal(before, tokens, nano, purpose)
            session.add(
                ReservationRow(
                    reservation_id=reservation_id,
                    levels=json.dumps(self._levels),
                    tokens=tokens,
                    nano=nano,
                    purpose=purpose,
                    state="open",
                    at=self._clock(),
                )
            )
        return reservation_id

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        """Replace what was set aside by what the call cost, which may be more: then that is what was spent.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        with self._db.write() as session:
            row = _close(session, reservation_id, "settled")
            levels: list[str] = json.loads(row.levels)
            _lock(session, levels)
            values = {
                "reserved_tokens": col(BudgetRow.reserved_tokens) - row.tokens,
                "reserved_nano": col(BudgetRow.reserved_nano) - row.nano,
                "spent_tokens": col(BudgetRow.spent_tokens) + tokens,
                "spent_nano": col(BudgetRow.spent_nano) + round(dollars * NANO),
            }
            _run(session, update(BudgetRow).where(col(BudgetRow.level).in_(levels)).values(values))

    def refund(self, reservation_id: str) -> None:
        """Give back all of it: the call certainly never ran.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        with self._db.write() as session:
            row = _close(session, reservation_id, "refunded")
            levels: list[str] = json.loads(row.levels)
            _lock(session, levels)
            values = {
                "reserved_tokens": col(BudgetRow.reserved_tokens) - row.tokens,
                "reserved_nano": col(BudgetRow.reserved_nano) - row.nano,
                "calls": col(BudgetRow.calls) - 1,
            }
            _run(session, update(BudgetRow).where(col(BudgetRow.level).in_(levels)).values(values))

    def record_call(self, call: CallLike) -> None:
        """Log one model call, and count its usage on every level: pass it to the client as `on_call`."""
        _log(self._db, call, self._levels, self._clock())

    def _reserving(self, tokens: int, nano: int) -> Update:
        table = BudgetRow
        asked_tokens = col(table.spent_tokens) + col(table.reserved_tokens) + tokens
        asked_nano = col(table.spent_nano) + col(table.reserved_nano) + nano
        return (
            update(table)
            .where(col(table.level).in_(self._levels))
            .where(col(table.ceiling_tokens).is_(None) | (asked_tokens <= col(table.ceiling_tokens)))
            .where(col(table.ceiling_nano).is_(None) | (asked_nano <= col(table.ceiling_nano)))
            .values(
                reserved_tokens=col(table.reserved_tokens) + tokens,
                reserved_nano=col(table.reserved_nano) + nano,
                calls=col(table.calls) + 1,
            )
        )


class Spending(Opened):
    """The part of `State` that counts money."""

    def purse(self, levels: Mapping[str, Budget]) -> LedgerPurse:
        """A purse over nested levels such as `dream:drm_…` and `day:2026-11-22`, each with its ceilings.

        What was spent on a level earlier stays spent; its ceilings become those given now.

        Raises:
            UsageError: no level is given.
        """
        if not levels:
            msg = "A purse needs a level, such as {'dream:drm_…': Budget(dollars=2)}."
            raise UsageError(msg)
        with self._db.write() as session:
            rows = [BudgetRow(level=level).model_dump() for level in sorted(levels)]
            insert_missing(session, BudgetRow, rows)
            for row in _lock(session, sorted(levels)):
                budget = levels[row.level]
                row.ceiling_tokens = budget.tokens
                row.ceiling_nano = None if budget.dollars is None else round(budget.dollars * NANO)
                session.add(row)
        return LedgerPurse(self._db, list(levels), self._now)

    def spent(self, level: str) -> Cost:
        """What a level spent so far; nothing for one that never was.

        A call of unknown outcome counts in full in `dollars`. `usage` is of the calls that were recorded.
        """
        return _cost(self._level(level))

    def spent_by(self, kind: str) -> dict[str, Cost]:
        """What every level of one kind (`dream` for all `dream:…`) spent so far, by what follows the colon."""
        statement = select(BudgetRow).where(col(BudgetRow.level).startswith(f"{kind}:", autoescape=True))
        with self._db.read() as session:
            return {row.level.partition(":")[2]: _cost(row) for row in session.exec(statement).all()}

    def balance(self, level: str) -> Spend:
        """What a level has settled, and what is set aside for calls under way or of unknown outcome."""
        row = self._level(level)
        return Spend(
            row.calls,
            row.spent_tokens,
            row.spent_nano / NANO,
            row.reserved_tokens,
            row.reserved_nano / NANO,
        )

    def record_call(self, call: CallLike) -> None:
        """Log one model call. `LedgerPurse.record_call` also counts its usage on the purse's levels."""
        _log(self._db, call, [], self._now())

    def calls(self, *, purpose: str = "", limit: int = 100) -> list[Call]:
        """The newest model calls first."""
        statement = select(CallRow).order_by(col(CallRow.at).desc(), col(CallRow.call_id)).limit(limit)
        if purpose:
            statement = statement.where(CallRow.purpose == purpose)
        with self._db.read() as session:
            return [_call_word(row) for row in session.exec(statement).all()]

    def _level(self, level: str) -> BudgetRow:
        with self._db.read() as session:
            return session.get(BudgetRow, level) or BudgetRow(level=level)


def _cost(row: BudgetRow) -> Cost:
    return Cost(
        calls=row.calls,
        usage=Usage(row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_tokens),
        dollars=(row.spent_nano + row.reserved_nano) / NANO,
    )


def _log(database: Database, call: CallLike, levels: Sequence[str], now: datetime) -> None:
    with database.write() as session:
        session.add(_call_row(call, now))
        for row in _lock(session, levels):
            row.input_tokens += call.usage.input_tokens
            row.output_tokens += call.usage.output_tokens
            row.cache_read_tokens += call.usage.cache_read_tokens
            row.cache_write_tokens += call.usage.cache_write_tokens
            session.add(row)


def _call_row(call: CallLike, now: datetime) -> CallRow:
    return CallRow(
        call_id=new_id("call"),
        at=now,
        model=call.model,
        prompt_sha256=call.prompt_sha256,
        purpose=call.purpose,
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
        cache_read_tokens=call.usage.cache_read_tokens,
        cache_write_tokens=call.usage.cache_write_tokens,
        lost_tokens=call.lost_tokens,
        nano=round(call.dollars * NANO),
        priced=call.priced,
        outcome=call.outcome,
        stop_reason=call.stop_reason,
        seconds=call.seconds,
        attempts=call.attempts,
        request_id=call.request_id,
    )


def _call_word(row: CallRow) -> Call:
    return Call(
        model=row.model,
        purpose=row.purpose,
        prompt_sha256=row.prompt_sha256,
        outcome=row.outcome,
        stop_reason=row.stop_reason,
        usage=Usage(row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_tokens),
        lost_tokens=row.lost_tokens,
        dollars=row.nano / NANO,
        priced=row.priced,
        seconds=row.seconds,
        attempts=row.attempts,
        request_id=row.request_id,
        at=row.at,
    )


def _refusal(rows: Sequence[BudgetRow], tokens: int, nano: int, purpose: str) -> BudgetError:
    found = "; ".join(reason for row in rows for reason in _over(row, tokens, nano))
    error = BudgetError(
        f"The budget does not allow {purpose!r}: {found or 'one of its levels is gone'}. "
        "Raise the budget, or ask for less."
    )
    error.levels = tuple(row.level for row in rows if _over(row, tokens, nano))
    return error


def _over(row: BudgetRow, tokens: int, nano: int) -> list[str]:
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


def _lock(session: Session, levels: Sequence[str]) -> Sequence[BudgetRow]:
    """Lock the levels in one order, so that two calls cannot wait for each other."""
    statement = select(BudgetRow).where(col(BudgetRow.level).in_(levels)).order_by(col(BudgetRow.level))
    return session.exec(statement.with_for_update().execution_options(populate_existing=True)).all()


def _close(session: Session, reservation_id: str, state: str) -> ReservationRow:
    statement = select(ReservationRow).where(col(ReservationRow.reservation_id) == reservation_id)
    row = session.exec(statement.with_for_update()).first()
    if row is None or row.state != "open":
        found = "was never made" if row is None else f"was {row.state} already"
        msg = f"The reservation {reservation_id!r} {found}. Settle or refund each one once."
        raise UsageError(msg)
    row.state = state
    session.add(row)
    return row


def _run(session: Session, statement: Update) -> CursorResult[tuple[()]]:
    return session.connection().execute(statement)
