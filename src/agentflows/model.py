"""Models: what a token costs, and how many tokens a text has at most, before anyone has counted them.

Prices are dollars per million tokens, as of 22 November 2026. The table that ships, `PRICES`, is empty on
purpose: the Anthropic SDK (2.12.0) carries no price table, and a price from memory would turn a money cap
into a promise that cannot be kept. Prices are yours to give, from your own price list, with the setting
`AGENTFLOWS_PRICES`:

    {"claude-sonnet-5-5": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75}}

(figures made up). A model without a price is *unpriced*: a run with a cap in money refuses it, a run with a
cap in tokens takes it, and its dollars are reported as 0 with the mark that they are unknown.
"""

import math
import re
import string
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentflows.errors import SettingsError
from agentflows.session import Usage

MILLION = 1_000_000


class Price(BaseModel):
    """List price of one model, in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    """Of input that the cache neither read nor wrote."""
    output: float = Field(ge=0, allow_inf_nan=False)
    """Of everything the model wrote, its thinking included."""
    cache_read: float = Field(ge=0, allow_inf_nan=False)
    cache_write: float = Field(ge=0, allow_inf_nan=False)
    """For entries that live five minutes, the only kind agentflows writes. Where a price depends on the
    length of the prompt, give the dearest tier: a budget needs an upper bound."""

    def cost(self, usage: Usage) -> float:
        """Dollars for `usage`."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / MILLION

    def at_most(self, input_tokens: int, output_tokens: int) -> float:
        """Dollars if all input were billed at its dearest rate and the output ran to its limit."""
        dearest = max(self.input, self.cache_read, self.cache_write)
        return (input_tokens * dearest + output_tokens * self.output) / MILLION


PRICES: Mapping[str, Price] = {}
"""By model id. Empty: see the top of this file."""

_DATED = re.compile(r"-\d{8}$")


def price(model: str, prices: Mapping[str, Price] = PRICES) -> Price | None:
    """The price of `model`, or None if it has none.

    A dated id (`claude-x-20251001`) falls back on the price of its undated one.
    """
    return prices.get(model) or prices.get(_DATED.sub("", model))


def dollars(model: str, usage: Usage, prices: Mapping[str, Price] = PRICES) -> float:
    """What `usage` of `model` costs; 0.0 for an unpriced model, which `price` tells apart from a free one."""
    known = price(model, prices)
    return known.cost(usage) if known else 0.0


def price_table(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Price]:
    """The shipped prices with the user's own over them.

    Raises:
        SettingsError: a price lacks one of its four figures, or has an impossible one.
    """
    table = dict(PRICES)
    for model, figures in given.items():
        try:
            table[model] = Price.model_validate(figures)
        except ValidationError as error:
            faults = "; ".join(
                f"{item['loc'][-1]}: {item['msg']}" for item in error.errors(include_url=False)
            )
            msg = (
                f"The price of {model!r} cannot be used. {faults}. Give `input`, `output`, `cache_read` and "
                f"`cache_write` in dollars per million tokens in AGENTFLOWS_PRICES."
            )
            raise SettingsError(msg) from error
    return table


_CHEAP = (string.ascii_letters + " ").encode()


def most_tokens(text: str) -> int:
    """More tokens than `text` has, from its characters alone.

    English prose has about four characters to a token. This reckons with two where there are letters and
    spaces, with one for digits, punctuation and line breaks, and with two tokens per character outside ASCII.
    """
    ascii_part = text.encode("ascii", "ignore")
    symbols = len(ascii_part.translate(None, _CHEAP))
    return math.ceil((len(ascii_part) - symbols) / 2) + symbols + 2 * (len(text) - len(ascii_part))


class TokenBound:
    """An upper bound on input tokens that learns from replies. Safe to share between threads.

    Until `LEARN_FROM` replies have told their true count the bound is the plain one. After that it is
    scaled by the worst ratio of true count to plain bound among the last `REMEMBER`, with a fifth on top.
    It may also rise above the plain bound, should a tokenizer prove to be greedier than assumed.
    """

    LEARN_FROM = 3
    REMEMBER = 64
    MARGIN = 1.2
    WORTH_LEARNING = 2_000
    """Shorter requests (by plain bound) teach nothing: in them the endpoint's own tokens weigh too much."""
    OVERHEAD = 600
    """Tokens that an endpoint adds of its own: framing, and what it says about a schema."""

    def __init__(self) -> None:
        self._ratios: list[float] = []
        self._lock = threading.Lock()

    def of(self, texts: Iterable[str]) -> int:
        """At most this many tokens, all texts together."""
        return math.ceil(sum(map(most_tokens, texts)) * self.factor) + self.OVERHEAD

    @property
    def factor(self) -> float:
        """What the plain bound is multiplied by; 1.0 until enough replies are known."""
        with self._lock:
            if len(self._ratios) < self.LEARN_FROM:
                return max([1.0, *self._ratios])
            return max(self._ratios) * self.MARGIN

    def learn(self, texts: Iterable[str], counted: int) -> None:
        """Take note of how many input tokens these texts really had."""
        bound = sum(map(most_tokens, texts))
        if bound < self.WORTH_LEARNING or counted <= 0:
            return
        with self._lock:
            self._ratios = [*self._ratios, counted / bound][-self.REMEMBER :]
