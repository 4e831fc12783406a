"""A meter: what a foreign program is seen to spend is set aside as it goes, and is spent though it never says so itself."""

from collections.abc import Mapping
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.budget import Purse
from agentflows.errors import BudgetError
from agentflows.model import PRICES, Price, dollars
from agentflows.readers.fields import text, tokens
from agentflows.session import Usage


class Meter:
    """Watches the messages of one run over a purse.

    Args:
        purse: pays; None is nobody, and nothing is refused.
        agent: its `max_dollars` is set aside at once; a program without one is paid as far as it is seen to spend.
        prices: by model id; an unpriced model's messages count in tokens.

    Raises:
        BudgetError: `max_dollars` is more than the purse has left.
    """

    def __init__(
        self, purse: Purse | None, agent: AgentDefinition, prices: Mapping[str, Price] = PRICES
    ) -> None:
        self._purse = purse
        self._agent = agent
        self._prices = prices
        self._messages: dict[str, tuple[Usage, float]] = {}
        self._held = [0, 0.0]
        self._open: list[str] = []
        self.refused = ""
        """Why the program may spend no more; "" while it may."""
        self._hold(0, agent.limits.max_dollars or 0.0)

    @property
    def usage(self) -> Usage:
        """Of the messages seen."""
        return sum((usage for usage, _ in self._messages.values()), start=Usage())

    @property
    def dollars(self) -> float:
        """Of the messages seen, at list price."""
        return sum(cost for _, cost in self._messages.values())

    def see(self, message: Mapping[str, Any]) -> None:
        """Take one message of the model, which may be told in several events with one id."""
        usage = tokens(message.get("usage"))
        if usage is None:
            return
        model = text(message.get("model")) or self._agent.model
        name = text(message.get("id")) or f"number {len(self._messages)}"
        self._messages[name] = (usage, dollars(model, usage, self._prices))
        more = (max(0, self.usage.total - int(self._held[0])), max(0.0, self.dollars - self._held[1]))
        if any(more) and not self.refused:
            try:
                self._hold(*more)
            except BudgetError as error:
                self.refused = str(error)

    def settle(self, usage: Usage, spent: float) -> None:
        """The program said what it spent."""
        if self._purse is not None:
            first, *others = self._open
            self._purse.settle(first, usage.total, spent)
            for one in others:
                self._purse.refund(one)

    def settle_unknown(self) -> float:
        """It ended without a word of it, so all that was set aside counts as spent, and all that was seen. Returns dollars."""
        spent = max(self._agent.limits.max_dollars or 0.0, self.dollars)
        self.settle(self.usage, spent)
        return spent

    def refund(self) -> None:
        """The program certainly never ran."""
        if self._purse is not None:
            for one in self._open:
                self._purse.refund(one)

    def _hold(self, more_tokens: int, more_dollars: float) -> None:
        if self._purse is not None:
            self._open.append(self._purse.reserve(more_tokens, more_dollars, f"agent {self._agent.name}"))
        self._held = [self._held[0] + more_tokens, self._held[1] + more_dollars]
