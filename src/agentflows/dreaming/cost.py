"""What reading may cost, said before anything is spent."""

from collections.abc import Sequence

from agentflows import model as models
from agentflows.change import (
    identity,
)
from agentflows.dream.digest import digest_tokens
from agentflows.dream.engine import Engine
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import (
    BudgetError,
)
from agentflows.home import Home
from agentflows.session import SessionInfo

_PROMPT_TOKENS = 2_000
_ANSWER_TOKENS = 1_200
"""Per session, prompt and schema included; answers seldom reach it. Both only quote a cost beforehand."""


def quote_cost(
    home: Home, request: DreamRequest, engine: Engine, infos: Sequence[SessionInfo]
) -> tuple[int, float]:
    """What reading the sessions may need at most, in tokens and in dollars.

    Raises:
        BudgetError: it is more than the budget allows, or cannot be known.
    """
    if not engine.model:
        return 0, 0.0
    known = home.state.cached([reading_key(engine, info) for info in infos])
    unread = [info for info in infos if reading_key(engine, info) not in known]
    tokens = sum(_PROMPT_TOKENS + digest_tokens(info.chars) for info in unread)
    answers = _ANSWER_TOKENS * len(unread)
    price = models.price(engine.model, home.prices)
    if price is None and request.budget.dollars is not None:
        msg = (
            f"A budget in dollars needs the price of {engine.model!r}, which is not known. Give it in "
            "AGENTFLOWS_PRICES, or set a budget in tokens. Nothing was spent."
        )
        raise BudgetError(msg)
    dollars = price.at_most(tokens, answers) if price else 0.0
    budget = request.budget
    if budget.tokens is not None and tokens + answers > budget.tokens:
        msg = (
            f"Reading {len(unread)} sessions needs up to {tokens + answers:,} tokens; the budget is "
            f"{budget.tokens:,}. Raise it, or choose fewer sessions. Nothing was spent."
        )
        raise BudgetError(msg)
    if budget.dollars is not None and dollars > budget.dollars:
        msg = (
            f"Reading {len(unread)} sessions costs up to ${dollars:.2f}; the budget is "
            f"${budget.dollars:,.6g}. Raise it, or choose fewer sessions. Nothing was spent."
        )
        raise BudgetError(msg)
    return tokens + answers, dollars


def reading_key(engine: Engine, info: SessionInfo) -> str:
    """What a session's reading is kept under: its content, and all that decides how it is read."""
    return "obs:" + identity(info.content_sha256, engine.name, engine.prompt_sha256, engine.model)
