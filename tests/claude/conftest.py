"""A fake endpoint, a purse that remembers, and time that passes only when told to."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, Field

from agentflows.claude import CallRecord, Claude, Pace
from agentflows.errors import BudgetError
from agentflows.model import Price
from agentflows.testing import FakeMessagesAPI

PRICE = Price(input=10, output=50, cache_read=1, cache_write=12.5)


class Verdict(BaseModel):
    """What the tests ask for."""

    same: bool
    score: int = Field(ge=0, le=5)
    why: str = ""


@dataclass
class Purse:
    """Remembers what was reserved, and what became of it."""

    ceiling: int | None = None
    reserved: list[int] = field(default_factory=list[int])
    settled: list[int] = field(default_factory=list[int])
    dollars: list[float] = field(default_factory=list[float])
    refunded: int = 0
    open: dict[str, int] = field(default_factory=dict[str, int])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:
        with self.lock:
            if (
                self.ceiling is not None
                and sum(self.settled) + sum(self.open.values()) + tokens > self.ceiling
            ):
                msg = f"{purpose}: the ceiling of {self.ceiling} tokens would be passed."
                raise BudgetError(msg)
            ident = f"r{len(self.reserved)}"
            self.reserved.append(tokens)
            self.open[ident] = tokens
            return ident

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        with self.lock:
            del self.open[reservation_id]
            self.settled.append(tokens)
            self.dollars.append(dollars)

    def refund(self, reservation_id: str) -> None:
        with self.lock:
            del self.open[reservation_id]
            self.refunded += 1


@dataclass
class ManualTime:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list[float])

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, chance: float = 0.999) -> Pace:
        return Pace(clock=self.clock, sleep=self.sleep, chance=lambda: chance)


@dataclass
class Bench:
    """One endpoint and one client on it."""

    fake: FakeMessagesAPI
    claude: Claude
    purse: Purse
    time: ManualTime
    records: list[CallRecord]

    def ask(self, **changed: Any) -> Any:
        arguments: dict[str, Any] = {
            "system": ["You judge."],
            "user": ["The material.", "Are they the same?"],
            "schema": Verdict,
            "max_tokens": 1000,
            "purpose": "judge",
        }
        return self.claude.ask(**{**arguments, **changed})


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    """Builds benches; keyword arguments of the fake under `fake`, of the purse under `purse`, else the client's."""
    opened: list[Any] = []

    def make(
        *, fake: dict[str, Any] | None = None, purse: dict[str, Any] | None = None, **client: Any
    ) -> Bench:
        api = FakeMessagesAPI(**(fake or {})).start()
        opened.append(api)
        time, kept, records = ManualTime(), Purse(**(purse or {})), list[CallRecord]()
        arguments: dict[str, Any] = {
            "model": "model-x",
            "api_key": api.api_key,
            "base_url": api.url,
            "purse": kept,
            "prices": {"model-x": PRICE},
            "pace": time.pace(),
            "on_call": records.append,
        }
        claude = Claude(**{**arguments, **client})
        opened.append(claude)
        return Bench(api, claude, kept, time, records)

    yield make
    for thing in reversed(opened):
        thing.close()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """A bench with nothing special about it."""
    return make_bench()


GOOD = {"same": True, "score": 3, "why": ""}


@pytest.fixture
def good() -> dict[str, Any]:
    """A reply that fits."""
    return dict(GOOD)


@pytest.fixture
def verdict() -> type[Verdict]:
    """The schema the benches ask for."""
    return Verdict
