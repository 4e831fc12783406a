"""Nested budgets that survive a crash: money is set aside on every level, or on none, in one transaction.

Also the log of model calls, and the purse of one run of an agent, which keeps what a reply cost together with the reply.
"""

import math
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlmodel import Session, col, select

from agentflows.budget import Call, CallLike, Spend
from agentflows.change import Budget, Cost
from agentflows.errors import BudgetError, StoreError, UsageError
from agentflows.session import Usage
from agentflows.store import ledger
from agentflows.store.database import Database
from agentflows.store.ledger import NANO, Booking
from agentflows.store.opened import Opened
from agentflows.store.outcomes import put_runner_state
from agentflows.store.quick import find_row
from agentflows.store.tables import BudgetRow, CallRow


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
        check_amounts(tokens, dollars)
        with self._db.write() as session:
            made = self._reserved(session, tokens, dollars, purpose)
        if isinstance(made, BudgetError):
            raise made
        return made

    def _reserved(self, session: Session, tokens: int, dollars: float, purpose: str) -> str | BudgetError:
        nano = math.ceil(dollars * NANO)
        return ledger.reserve(session.connection(), self._levels, tokens, nano, purpose, self._clock())

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        """Replace what was set aside by what the call cost, which may be more: then that is what was spent.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        self._book(Booking(reservation_id, tokens, round(dollars * NANO)))

    def refund(self, reservation_id: str) -> None:
        """Give back all of it: the call certainly never ran.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        self._book(Booking(reservation_id, 0, 0, is_refund=True))

    def record_call(self, call: CallLike) -> None:
        """Log one model call, and count its usage on every level: pass it to the client as `on_call`."""
        self._book(call=call)

    def _book(self, booking: Booking | None = None, call: CallLike | None = None) -> None:
        bookings, calls = [booking] if booking else [], [call] if call else []
        with self._db.write() as session:
            ledger.book(session.connection(), bookings, calls, self._levels, self._clock())


class RunPurse(LedgerPurse):
    """The purse of one run of an agent, and how far that run is. Use it as a context manager.

    What a reply cost waits until the run says how far it is with that reply, so that both are kept in one transaction,
    and none is kept without the other. A process that dies before leaves the call as one of unknown outcome: spent.

    Args:
        database, clock: as of `LedgerPurse`.
        levels: with their ceilings; they are made when something is written first.
        name: of the run: what `keep` keeps is its `runner_state`.
    """

    def __init__(
        self, database: Database, levels: Mapping[str, Budget], clock: Callable[[], datetime], name: str
    ) -> None:
        super().__init__(database, list(levels), clock)
        self._budgets = levels
        self._name = name
        self._is_open = False
        self._bookings: list[Booking] = []
        self._calls: list[CallLike] = []
        self._lock = threading.RLock()

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:
        """As of `LedgerPurse`. What waits is kept in any case, also when this is refused."""
        check_amounts(tokens, dollars)
        with self._writing() as session:
            made = self._reserved(session, tokens, dollars, purpose)
        if isinstance(made, BudgetError):
            raise made
        return made

    def keep(self, state: str) -> None:
        """Keep how far the run is, and what the calls before cost."""
        with self._writing() as session:
            put_runner_state(session, self._name, state, self._clock())

    def close(self) -> None:
        """Keep what waits."""
        if self._bookings or self._calls:
            with self._writing():
                pass

    def _book(self, booking: Booking | None = None, call: CallLike | None = None) -> None:
        with self._lock:
            if booking is not None:
                self._bookings.append(booking)
            if call is not None:
                self._calls.append(call)
        if booking is not None and booking.is_refund:  # others may wait for that money
            self.close()

    @contextmanager
    def _writing(self) -> Generator[Session]:
        """A transaction that begins with what waits."""
        with self._lock:
            with self._db.write() as session:
                connection = session.connection()
                if not self._is_open:
                    ledger.open_levels(connection, self._budgets)
                if self._bookings or self._calls:
                    ledger.book(connection, self._bookings, self._calls, self._levels, self._clock())
                yield session
            self._is_open, self._bookings, self._calls = True, [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error of the run that one is told; what cannot be booked counts as spent.
        with suppress(StoreError) if error is not None else nullcontext():
            self.close()


def check_amounts(tokens: int, dollars: float) -> None:
    """Refuse to set aside less than nothing.

    Raises:
        UsageError: an amount is negative.
    """
    if tokens < 0 or dollars < 0:
        msg = f"A call cannot cost {tokens} tokens and ${dollars}. Reserve zero or more."
        raise UsageError(msg)


class Spending(Opened):
    """The part of `State` that counts money."""

    def purse(self, levels: Mapping[str, Budget]) -> LedgerPurse:
        """A purse over nested levels such as `dream:drm_…` and `day:2026-11-22`, each with its ceilings.

        What was spent on a level earlier stays spent; its ceilings become those given now.

        Raises:
            UsageError: no level is given.
        """
        check_levels(levels)
        with self._db.write() as session:
            ledger.open_levels(session.connection(), levels)
        return LedgerPurse(self._db, list(levels), self._now)

    def run_purse(self, levels: Mapping[str, Budget], name: str) -> RunPurse:
        """The purse of one run of an agent under these levels, which also keeps how far the run `name` is.

        Raises:
            UsageError: no level is given.
        """
        check_levels(levels)
        return RunPurse(self._db, levels, self._now, name)

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
        with self._db.write() as session:
            ledger.book(session.connection(), [], [call], [], self._now())

    def calls(self, *, purpose: str = "", limit: int = 100) -> list[Call]:
        """The newest model calls first."""
        statement = select(CallRow).order_by(col(CallRow.at).desc(), col(CallRow.call_id)).limit(limit)
        if purpose:
            statement = statement.where(CallRow.purpose == purpose)
        with self._db.read() as session:
            return [_call_word(row) for row in session.exec(statement).all()]

    def _level(self, level: str) -> BudgetRow:
        with self._db.read() as session:
            return BudgetRow(**(find_row(session, BudgetRow, {"level": level}) or {"level": level}))


def check_levels(levels: Mapping[str, Budget]) -> None:
    """Refuse a purse that nothing is paid from.

    Raises:
        UsageError: there is no level.
    """
    if not levels:
        msg = "A purse needs a level, such as {'dream:drm_…': Budget(dollars=2)}."
        raise UsageError(msg)


def _cost(row: BudgetRow) -> Cost:
    return Cost(
        calls=row.calls,
        usage=Usage(row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_tokens),
        dollars=(row.spent_nano + row.reserved_nano) / NANO,
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
