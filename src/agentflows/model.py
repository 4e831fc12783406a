"""Models: what a token costs, and how many tokens a text has at most, before anyone has counted them.

Prices are dollars per million tokens, as Anthropic's pricing and model pages
(https://platform.claude.com/docs/en/about-claude/pricing) gave them in copies of October and November 2026.
The SDK (2.12.0) carries no price table, and pages change: what you pay is yours to say, with
`AGENTFLOWS_PRICES`, which wins over this table:

    {"claude-sonnet-5-5": {"input": 2, "output": 10, "cache_read": 0.2, "cache_write": 2.5}}

A model without a price is *unpriced*: a run with a budget in dollars refuses it, a run with a budget in tokens
takes it, and its dollars are reported as 0.
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


def _of(input_: float, output: float, cache_read: float, cache_write: float) -> Price:
    return Price(input=input_, output=output, cache_read=cache_read, cache_write=cache_write)


PRICES: Mapping[str, Price] = {
    "claude-fable-5-1": _of(10, 50, 0.25, 12.5),
    "claude-fable-5": _of(10, 50, 1, 12.5),
    "claude-mythos-5-1": _of(10, 50, 0.25, 12.5),
    "claude-mythos-5": _of(10, 50, 1, 12.5),
    "claude-opus-5": _of(5, 25, 0.5, 6.25),
    "claude-opus-4-8": _of(5, 25, 0.5, 6.25),
    "claude-opus-4-7": _of(5, 25, 0.5, 6.25),
    "claude-opus-4-6": _of(5, 25, 0.5, 6.25),
    "claude-opus-4-5": _of(5, 25, 0.5, 6.25),
    "claude-sonnet-5-5": _of(2, 10, 0.2, 2.5),
    "claude-sonnet-5": _of(2, 10, 0.2, 2.5),
    "claude-sonnet-4-6": _of(3, 15, 0.3, 3.75),
    "claude-sonnet-4-5": _of(3, 15, 0.3, 3.75),
    "claude-haiku-4-5": _of(1, 5, 0.1, 1.25),
}
"""By model id. Ids whose full price no page gave (opus 5.5, haiku 5.5, fable 5.2) are left out, not guessed."""

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
