"""Reading: the archive's signals, and what each session taught."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

from pydantic import BaseModel, ConfigDict

from agentflows import dream as deed
from agentflows.asking import Asker
from agentflows.change import (
    Observation,
    Refusal,
)
from agentflows.dream.engine import Engine, Hint
from agentflows.dream.judged import JudgedEngine
from agentflows.dream.outcomes import OUTCOME_QUERIES
from agentflows.dreaming.begun import Begun
from agentflows.dreaming.planning import reading_key
from agentflows.errors import ModelOutputError
from agentflows.home import Home
from agentflows.session import Session, SessionInfo
from agentflows.store.failpoints import failpoint

_HINT_ROWS = 5_000
"""Rows of a query that only hints where to look. What counts outcomes is never cut."""


class Reading(BaseModel):
    """What is kept of reading one session."""

    model_config = ConfigDict(frozen=True)

    observations: tuple[Observation, ...] = ()
    dropped: tuple[Refusal, ...] = ()
    """What the engine said and code did not let through, already in the reading."""


def reply_key(reading: str) -> str:
    """What a batch's reply about a session is kept under, until the session is read by it."""
    return f"reply:{reading}"


def check_endpoints(engine: Engine) -> None:
    """See that a model which answered nothing of late is not taken for one that refuses some questions.

    Raises:
        EndpointError: it refuses whatever it is asked.
    """
    if isinstance(engine, JudgedEngine):
        for ask in (engine.ask, engine.ask_judge):
            if isinstance(ask, Asker):
                ask.check_endpoint()


class Reader:
    """Reads sessions with an engine; a reading is kept in the state database as soon as it is there.

    Any process may read any session of a dream: what it says is kept under the session's content, the engine, its
    prompts and its model, so it does not matter who read it.
    """

    def __init__(self, home: Home, engine: Engine) -> None:
        self._home = home
        self._engine = engine
        self._replies: Mapping[str, str] = {}
        self._already = 0
        self.failures: list[str] = []
        """Sessions whose reply could not be used, and why."""

    @property
    def asker(self) -> Asker | None:
        """How the engine asks its model; None for one that asks nobody."""
        engine = self._engine
        return engine.ask if isinstance(engine, JudgedEngine) and isinstance(engine.ask, Asker) else None

    def read(
        self, keys: Mapping[str, str], hints: Mapping[str, Sequence[Hint]]
    ) -> Iterator[tuple[str, Reading]]:
        """Each session's id with its reading, once that is kept under its key in `keys`.

        Raises:
            BudgetError, EndpointError: reading cannot go on; what was read stays read.
            NotFoundError: the archive holds a session no more.
        """
        self._already = len(self._engine.dropped)
        found = (
            self._home.state.cached([reply_key(key) for key in keys.values()])
            if self.asker is not None
            else {}
        )
        self._replies = {name: found[reply_key(key)] for name, key in keys.items() if reply_key(key) in found}
        sessions = self._home.archive.sessions(list(keys))
        return (self._at_once if self._engine.model else self._in_turn)(sessions, hints, keys)

    def _in_turn(
        self, sessions: Iterable[Session], hints: Mapping[str, Sequence[Hint]], keys: Mapping[str, str]
    ) -> Iterator[tuple[str, Reading]]:
        readings = {
            session.session_id: self._reading(session, hints.get(session.session_id, []))
            for session in sessions
        }
        self._home.state.cache({keys[name]: reading.model_dump_json() for name, reading in readings.items()})
        yield from readings.items()

    def _at_once(
        self, sessions: Iterable[Session], hints: Mapping[str, Sequence[Hint]], keys: Mapping[str, str]
    ) -> Iterator[tuple[str, Reading]]:
        with ThreadPoolExecutor(self._home.settings.concurrency) as pool:
            jobs = {
                pool.submit(self._reading, session, hints.get(session.session_id, [])): session.session_id
                for session in sessions
            }
            try:
                for job in as_completed(jobs):
                    try:
                        reading = job.result()
                    except ModelOutputError as error:
                        self.failures.append(f"{jobs[job]}: {error}")
                        continue
                    self._home.state.cache({keys[jobs[job]]: reading.model_dump_json()})
                    yield jobs[job], reading
                check_endpoints(self._engine)
            except BaseException:  # Ctrl-C and a stop too: each request that waits in line would be paid
                pool.shutdown(cancel_futures=True)
                raise

    def _reading(self, session: Session, hints: Sequence[Hint]) -> Reading:
        with self._answered(session.session_id):
            observations = self._engine.extract(session, hints)
        fresh = islice(self._engine.dropped, self._already, None)
        dropped = [item for item in fresh if item.session_id == session.session_id]
        return Reading(observations=tuple(observations), dropped=tuple(dropped))

    def _answered(self, session_id: str) -> AbstractContextManager[None]:
        """What a batch answered about the session is its answer, though hints may read otherwise by now."""
        reply = self._replies.get(session_id)
        return nullcontext() if reply is None or self.asker is None else self.asker.given(reply)


class Readings(Begun):
    """The part of a dream that looks at sessions: in SQL, from the cache, one by one."""

    _hints: Mapping[str, Sequence[Hint]] = {}

    @property
    def asker(self) -> Asker | None:
        """How the engine asks its model; None for one that asks nobody."""
        return Reader(self.home, self.engine).asker

    # -- 2. mine ---------------------------------------------------------------------------------

    def mine(self) -> int:
        """Ask the archive's pattern queries over the selected sessions; returns how many rows they gave."""
        for name in deed.MINED:
            limit = None if name in OUTCOME_QUERIES else _HINT_ROWS + 1
            rows = self.home.archive.pattern(name, session_ids=self.selected, limit=limit)
            if limit is not None and len(rows) == limit:
                rows.pop()
                self.notes.append(
                    f"Hints come from the {_HINT_ROWS:,} best supported rows of {name!r}; it has more."
                )
            self.mined[name] = rows
        failpoint("dream.mined")
        return sum(len(rows) for rows in self.mined.values())

    # -- 3. extract ------------------------------------------------------------------------------

    def recall(self) -> int:
        """Take what is known from earlier out of the cache; `pending` holds the rest in batches. Returns its count."""
        keys = {self._key(info): info for info in self.infos}
        found = self.home.state.cached(list(keys))
        for key, text in found.items():
            self._keep(keys[key].session_id, Reading.model_validate_json(text))
        self.from_cache = len(found)
        chosen = self.plan.chosen
        unread = [
            info
            for key, info in keys.items()
            if key not in found and (chosen is None or info.session_id in chosen)
        ]
        self._hints = deed.hints(self.mined, {info.session_id for info in unread})
        size, at_once = self.home.settings.batch_sessions, self.home.settings.concurrency
        if self.engine.model and size > at_once:
            size -= size % at_once  # else the last round of every batch leaves callers idle
        self.pending = [unread[start : start + size] for start in range(0, len(unread), size)]
        failpoint("dream.recalled")
        return len(unread)

    def extract(self, number: int) -> int:
        """Read batch `number` (from 1); each session is kept as soon as it is read. Returns observations made.

        A session whose reading fails is named in the coverage; the others go on.

        Raises:
            BudgetError, EndpointError: reading cannot go on; what was read stays read.
            ConflictError: another process took over.
        """
        self.check_hold()
        reader = Reader(self.home, self.engine)
        keys = {info.session_id: self._key(info) for info in self.pending[number - 1]}
        made = 0
        try:
            for name, reading in reader.read(keys, self._hints):
                made += self._keep(name, reading)
                if self.engine.model:
                    failpoint(f"dream.read.{len(self.observations)}")
        finally:
            self.failures.extend(reader.failures)
        failpoint(f"dream.batch.{number}")
        return made

    def _keep(self, session_id: str, reading: Reading) -> int:
        self.heard.add(session_id)
        self.observations[session_id] = list(reading.observations)
        self.refusals.extend(reading.dropped)
        return len(reading.observations)

    def _key(self, info: SessionInfo) -> str:
        return reading_key(self.engine, info)
