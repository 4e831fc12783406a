"""An agent's own ceiling on top of its job's purse: whichever is reached first holds."""

import threading

from agentflows.budget import REFUSED, Purse
from agentflows.errors import BudgetError


class CappedPurse:
    """Asks two: the agent's limits for this run, and the purse behind them.

    Args:
        inner: the purse of the job.
        name: of the agent, for the message.
        max_tokens, max_dollars: for this run; None is no limit of its own.
        tokens, dollars: what the run spent before this process.
    """

    def __init__(
        self,
        inner: Purse,
        name: str,
        *,
        max_tokens: int | None,
        max_dollars: float | None,
        spent: tuple[int, float] = (0, 0.0),
    ) -> None:
        self._inner = inner
        self._name = name
        self._max_tokens = max_tokens
        self._max_dollars = max_dollars
        self._tokens, self._dollars = spent
        self._open: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:
        """Set aside the most one call can cost, with both.

        Raises:
            BudgetError: the agent's limit or the purse would be passed.
        """
        with self._lock:
            self._check(
                "tokens", self._max_tokens, self._tokens + sum(one for one, _ in self._open.values()), tokens
            )
            held = self._dollars + sum(one for _, one in self._open.values())
            self._check("dollars", self._max_dollars, held, dollars)
            ident = self._inner.reserve(tokens, dollars, purpose)
            self._open[ident] = (tokens, dollars)
            return ident

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        """Replace what was set aside by what the call cost."""
        with self._lock:
            self._open.pop(reservation_id, None)
            self._tokens += tokens
            self._dollars += dollars
        self._inner.settle(reservation_id, tokens, dollars)

    def refund(self, reservation_id: str) -> None:
        """Give back all of it."""
        with self._lock:
            self._open.pop(reservation_id, None)
        self._inner.refund(reservation_id)

    def _check(self, unit: str, limit: float | None, spent: float, asked: float) -> None:
        if limit is not None and spent + asked > limit:
            msg = (
                f"{REFUSED}more: the agent {self._name} may spend {limit:,.10g} {unit} per run; {spent:,.10g} are spent or set aside, "
                f"and the next call can take {asked:,.10g}. Raise limits.max_{unit} of the agent, or give it less to do."
            )
            raise BudgetError(msg)
