"""Parts: sessions of a dream that other processes read, wherever they run.

The dream writes down what each part is: ids, the keys their readings are kept under, and where to look. Whoever takes
a part reads it from the state database, reads its sessions, keeps each reading at once, and writes down how it ended.
The dream then takes the readings in as if it had made them. So nothing but two ids and a number travels.

A part has the same sessions however often its dream is begun again, so that a run that is still at work on it is found
and not doubled. Whoever works on one holds a lease on it: two never do, and one that died is seen.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from pydantic import BaseModel, ConfigDict, TypeAdapter

from agentflows import errors
from agentflows.budget import Spend
from agentflows.dream.engine import Engine, Hint
from agentflows.dreaming.batching import Batched
from agentflows.dreaming.reading import Reader, Reading
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import AgentflowsError, BudgetError, ConflictError, DreamError
from agentflows.home import Home, open_home
from agentflows.pursuing.holding import Hold
from agentflows.store.failpoints import failpoint

LOOK_SECONDS = 1.0
"""Between two looks at whether a part, or the budget, is free."""
BUDGET_SECONDS = 60.0
"""How long a part waits for a budget that is set aside for calls of others and of which nothing comes back."""
_PREFIX = "part:"
_PARTS = TypeAdapter(list[list[str]])


class PartOrder(BaseModel):
    """What a part is, for whoever takes it."""

    model_config = ConfigDict(frozen=True)

    request: DreamRequest
    engine: str
    model: str
    reading_sha256: str
    """Of the prompts; a worker with others would read otherwise."""
    keys: dict[str, str]
    """By session id, what its reading is kept under."""
    hints: dict[str, tuple[Hint, ...]] = {}


class PartEnd(BaseModel):
    """How one try of a part ended."""

    model_config = ConfigDict(frozen=True)

    read: int = 0
    """Sessions read in this try."""
    failures: tuple[str, ...] = ()
    """Sessions whose reply could not be used, and why."""
    error: str = ""
    """Why reading could not go on; "" when it came to its end."""
    error_type: str = ""


class Parted(Batched):
    """The part of a dream that has others read."""

    _sizes: Mapping[int, int] = {}

    def part_out(self, size: int) -> list[int]:
        """Write down what is to be read in parts of `size` sessions; returns their numbers, from 1.

        Parts that were written down before, by the same dream, stay what they were.
        """
        unread = {info.session_id: self._key(info) for batch in self.pending for info in batch}
        kept = f"{_PREFIX}{self.dream.dream_id}"
        parts = _PARTS.validate_json(self.home.state.cached([kept]).get(kept, "[]"))
        known = {name for part in parts for name in part}
        fresh = [name for name in unread if name not in known]
        parts += [fresh[start : start + size] for start in range(0, len(fresh), size)]
        self.home.state.cache({kept: _PARTS.dump_json(parts).decode()})
        orders = {
            number: self._order({name: unread[name] for name in part if name in unread})
            for number, part in enumerate(parts, 1)
        }
        wanted = {number: order for number, order in orders.items() if order.keys}
        self.home.state.cache(
            {
                _order_key(self.dream.dream_id, number): order.model_dump_json()
                for number, order in wanted.items()
            }
        )
        self._sizes = {number: len(order.keys) for number, order in wanted.items()}
        failpoint("dream.parted")
        return list(wanted)

    def part_size(self, number: int) -> int:
        """How many sessions are to be read in a part."""
        return self._sizes[number]

    def _order(self, keys: Mapping[str, str]) -> PartOrder:
        engine = self.engine
        hints = {name: tuple(self._hints.get(name, ())) for name in keys} if engine.model else {}
        return PartOrder(
            request=self.request,
            engine=engine.name,
            model=engine.model,
            reading_sha256=engine.reading_sha256,
            keys=dict(keys),
            hints=hints,
        )

    def parts_ended(self, attempts: Mapping[int, int]) -> dict[int, PartEnd]:
        """How the tries of parts ended, by number, for those that have; `attempts` says which try of each is meant.

        Raises:
            AgentflowsError: one ended with an error that ends the dream too.
        """
        keys = {
            _end_key(self.dream.dream_id, number, attempt): number for number, attempt in attempts.items()
        }
        found = self.home.state.cached(list(keys))
        ends = {keys[key]: PartEnd.model_validate_json(text) for key, text in found.items()}
        for number, end in ends.items():
            if end.error and end.error_type != BudgetError.__name__:
                raise _error_of(end, number)
        return ends

    def is_held(self, number: int) -> bool:
        """Whether a living process works on a part."""
        return bool(self.home.state.holder(f"part:{_name(self.dream.dream_id, number)}"))

    def take_in(self, ends: Sequence[PartEnd]) -> int:
        """Take in what others read; `pending` holds what nobody did, to be read here. Returns observations.

        What a part left because the budget was set aside for others is left for here, where nobody else asks any more.
        """
        self.check_hold()
        keys = {info.session_id: self._key(info) for batch in self.pending for info in batch}
        found = self.home.state.cached(list(keys.values()))
        made = sum(
            self._keep(name, Reading.model_validate_json(found[key]))
            for name, key in keys.items()
            if key in found
        )
        failed = {one.partition(": ")[0]: one for end in ends for one in end.failures}
        self.failures.extend(one for name, one in failed.items() if keys.get(name, "") not in found)
        settled = self.heard | failed.keys()
        left = [[info for info in batch if info.session_id not in settled] for batch in self.pending]
        self.pending = [batch for batch in left if batch]
        self.home.state.uncache(f"{_PREFIX}{self.dream.dream_id}")
        return made


# -- whoever takes a part ------------------------------------------------------------------------


def carry_out_part(
    home: Home, dream_id: str, number: int, attempt: int, *, told: Callable[[int, int], None]
) -> PartEnd:
    """Read the sessions of one part of a dream that another process leads, and write down how that ended.

    `told` hears how many are read, of how many.

    What was read before, by anybody, is not read again. While another works on the part, this one waits.

    Raises:
        DreamError: this process knows no such part, or would read it otherwise.
    """
    hold = _taken(home, dream_id, number)
    try:
        end = _Tried(home, dream_id, number, hold, told).to_its_end()
        hold.check()
        home.state.cache({_end_key(dream_id, number, attempt): end.model_dump_json()})
    finally:
        hold.close()
    failpoint(f"part.ended.{number}")
    return end


def read_part(dream_id: str, number: int, attempt: int, home: str) -> int:
    """The same in a process that has no home open yet. Returns how many sessions it read."""
    with open_home(home or None) as doors:
        return carry_out_part(doors, dream_id, number, attempt, told=_silently).read


def _silently(_done: int, _count: int) -> None:
    """Say nothing."""


class _Tried:
    """One try of a part."""

    def __init__(
        self, home: Home, dream_id: str, number: int, hold: Hold, told: Callable[[int, int], None]
    ) -> None:
        self._home, self._dream_id, self._number = home, dream_id, number
        self._hold, self._told = hold, told
        self._order = _order(home, dream_id, number)
        self._read = 0
        self._failed: dict[str, str] = {}

    def to_its_end(self) -> PartEnd:
        """Read until everything is read, or reading cannot go on."""
        patience = _Patience(self._home, self._dream_id)
        while True:
            try:
                self._all()
            except DreamError:
                raise
            except BudgetError as error:
                if not patience.waited(self._hold.check):
                    return self._ended(error)
            except ConflictError:
                raise
            except AgentflowsError as error:
                return self._ended(error)
            else:
                return self._ended(None)

    def _ended(self, error: AgentflowsError | None) -> PartEnd:
        return PartEnd(
            read=self._read,
            failures=tuple(self._failed.values()),
            error=str(error) if error else "",
            error_type=type(error).__name__ if error else "",
        )

    @cached_property
    def _reader(self) -> Reader:
        """The same for all tries: its engine has a client, which is open until the home is closed."""
        return Reader(self._home, _engine(self._home, self._dream_id, self._order))

    def _all(self) -> None:
        home, order, reader = self._home, self._order, self._reader
        known = home.state.cached(list(order.keys.values()))
        unread = [name for name, key in order.keys.items() if key not in known and name not in self._failed]
        done = len(order.keys) - len(unread)
        size = home.settings.batch_sessions
        for start in range(0, len(unread), size):
            names = unread[start : start + size]
            try:
                for _ in reader.read({name: order.keys[name] for name in names}, order.hints):
                    self._read += 1
            finally:
                self._failed |= {one.partition(": ")[0]: one for one in reader.failures}
            self._hold.check()
            done += len(names)
            self._told(done, len(order.keys))
            failpoint(f"part.batch.{self._number}")


class _Patience:
    """Waits for money that is set aside for calls of other processes, as long as some of it comes back."""

    def __init__(self, home: Home, dream_id: str) -> None:
        self._home, self._level = home, f"dream:{dream_id}"
        self._known: Spend | None = None
        self._since = 0.0

    def waited(self, check: Callable[[], None]) -> bool:
        """Wait a little; False when there is nothing to wait for any more."""
        now = self._home.state.balance(self._level)
        if not now.reserved_tokens and not now.reserved_dollars:
            return False
        if now != self._known:
            self._known, self._since = now, time.monotonic()
        if time.monotonic() - self._since > BUDGET_SECONDS:
            return False
        check()
        time.sleep(LOOK_SECONDS)
        return True


def _engine(home: Home, dream_id: str, order: PartOrder) -> Engine:
    engine, _ = home.engine(
        "claude" if order.model else "rules",
        lambda: home.purse(dream_id, order.request.budget),
        model=order.model,
        is_money_capped=order.request.budget.dollars is not None,
    )
    if (engine.name, engine.reading_sha256) != (order.engine, order.reading_sha256):
        msg = (
            f"The dream reads with {order.engine} and this worker with {engine.name}, or with other prompts. Install the "
            "same version of agentflows wherever it runs. Nothing was read."
        )
        raise DreamError(msg)
    return engine


def _order(home: Home, dream_id: str, number: int) -> PartOrder:
    key = _order_key(dream_id, number)
    found = home.state.cached([key])
    if key not in found:
        msg = (
            f"The state database of this worker knows no part {number} of {dream_id}. Give all workers the "
            "AGENTFLOWS_STATE_URL of the process that dreams; a part that is over is known no more."
        )
        raise DreamError(msg)
    return PartOrder.model_validate_json(found[key])


def _taken(home: Home, dream_id: str, number: int) -> Hold:
    name = _name(dream_id, number)
    while True:
        try:
            return Hold(home.state, name, home.actor().name, name, kind="part")
        except ConflictError:
            time.sleep(LOOK_SECONDS)


def _error_of(end: PartEnd, number: int) -> AgentflowsError:
    kind = getattr(errors, end.error_type, DreamError)
    told = f"{end.error} (in part {number} of the sessions, read elsewhere)"
    return kind(told) if issubclass(kind, AgentflowsError) else DreamError(told)


def _name(dream_id: str, number: int) -> str:
    return f"{dream_id}/{number}"


def _order_key(dream_id: str, number: int) -> str:
    return f"{_PREFIX}{_name(dream_id, number)}"


def _end_key(dream_id: str, number: int, attempt: int) -> str:
    return f"{_order_key(dream_id, number)}/{attempt}"
