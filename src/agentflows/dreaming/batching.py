"""Batching: the many questions of a dream, handed in together and collected when they are answered.

Whatever would be asked is gathered first, by going through the motions with questions written down instead of
sent. Those without an answer go into batches; the answers are kept under their questions, so that the dream,
which then asks as it always does, finds them known. What a batch left unanswered (expired, errored, unusable)
is asked one by one. A process that dies collects later what it handed in, or another dream does.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from agentflows import dream as deed
from agentflows.asking import Asker, Gathered
from agentflows.change import Budget, Pattern
from agentflows.dream.replies import PatternReply, SessionReply
from agentflows.dreaming.reading import Readings, reply_key
from agentflows.errors import BudgetError, DeferredError, EndpointError, ModelError
from agentflows.store import BatchAsked
from agentflows.store.failpoints import failpoint

if TYPE_CHECKING:
    from agentflows.claude import Answer, Claude

AUTO_FROM = 100
"""Questions from which `calls="auto"` takes batches."""
MOST_QUESTIONS = 1_000
MOST_CHARS = 16_000_000
"""Of one batch: what is held in memory at once, far below what the endpoint takes."""
_SCHEMAS: Mapping[str, type[BaseModel]] = {schema.__name__: schema for schema in (SessionReply, PatternReply)}
_LEAST = 2
"""Fewer questions than this are asked directly."""


class Batched(Readings):
    """The part of a dream that hands questions in and collects their answers."""

    _wanted: frozenset[str] = frozenset()
    """What the answers under way that this dream needs are kept under."""

    def hand_in_sessions(self) -> int:
        """Hand in the questions of all sessions that are to be read; returns how many are under way.

        Raises:
            EndpointError: the endpoint takes no batch; nothing that it did not take was paid.
        """
        if not self._is_batched(sum(map(len, self.pending))):
            return 0
        under_way = {also for _, _, also in self._under_way()}
        keys = {info.session_id: self._key(info) for batch in self.pending for info in batch}
        self._wanted |= under_way & set(keys.values())
        ids = [name for name, key in keys.items() if key not in under_way]

        def motions() -> Iterable[str]:
            for session in self.home.archive.sessions(ids):
                with suppress(DeferredError):
                    self.engine.extract(session, self._hints.get(session.session_id, []))
                yield keys[session.session_id]

        return len(keys) - len(ids) + self._hand_in(motions(), "extract")

    def hand_in_patterns(self, patterns: Sequence[Pattern]) -> int:
        """Hand in what is to be asked about each pattern; returns how many questions are under way.

        Raises:
            EndpointError: the endpoint takes no batch.
        """
        if not self._is_batched(len(patterns)):
            return 0
        return self._hand_in(
            deed.rehearse(patterns, self.files, self.engine, self.request.instructions), "propose"
        )

    def _under_way(self) -> list[tuple[str, str, str]]:
        """What is asked in batches that are not collected yet."""
        if self.asker is None:
            return []
        batches = self.home.state.open_batches(self._place)
        return [asked for batch in batches for asked in batch.asked.values()]

    @property
    def _place(self) -> str:
        """Which batches are this dream's to collect: those of its model, at the endpoint that was given them."""
        url = self.home.settings.base_url.rstrip("/")
        return f"{self.engine.model} at {url}" if url else self.engine.model

    def _is_wanted(self, batch: BatchAsked) -> bool:
        """Another dream's batch is awaited only for answers that this one needs."""
        return any(key in self._wanted or also in self._wanted for key, _, also in batch.asked.values())

    def _is_batched(self, questions: int) -> bool:
        least = {"interactive": None, "batch": _LEAST, "auto": AUTO_FROM}[self.request.calls]
        return self.asker is not None and least is not None and questions >= least

    def _hand_in(self, motions: Iterable[str], purpose: str) -> int:
        """Go through the motions, each of which names the reading it is for, and hand in what comes of it."""
        asker = self.asker
        if asker is None:
            return 0
        lost = self.home.state.forget_unsent(self.dream.dream_id)
        if lost:
            self.notes.append(
                f"{lost} batches may have been created when an earlier run died; they count as spent."
            )
        known = {key for key, _, _ in self._under_way()}
        readings: dict[str, str] = {}
        already = len(self.engine.dropped)
        under_way = 0
        with asker.gathering() as gathered:
            for reading in motions:
                readings.setdefault(next(reversed(gathered), ""), reading)
                if len(gathered) >= MOST_QUESTIONS or _chars(gathered) >= MOST_CHARS:
                    under_way += self._submit(asker, gathered, known, (purpose, readings))
            under_way += self._submit(asker, gathered, known, (purpose, readings))
        # The motions are gone through again in earnest, and counted then.
        del self.engine.dropped[already:]
        return under_way

    def _submit(
        self, asker: Asker, gathered: dict[str, Gathered], known: set[str], what: tuple[str, dict[str, str]]
    ) -> int:
        """Hand in what was gathered and is not under way yet; what the budget does not allow is left."""
        questions = [one for key, one in gathered.items() if key not in known]
        under_way = len(gathered) - len(questions)
        self._wanted |= gathered.keys()
        gathered.clear()
        while questions:
            part = questions
            while part and not self._sent(asker, part, *what):
                part = part[: len(part) // 2]
            if not part:
                self.notes.append(
                    f"{len(questions):,} questions were not handed in: a batch sets aside the most they can cost, "
                    "and the budget does not allow it. They are asked one by one."
                )
                break
            known.update(one.key for one in part)
            under_way += len(part)
            questions = questions[len(part) :]
        return under_way

    def _sent(
        self, asker: Asker, part: Sequence[Gathered], purpose: str, readings: Mapping[str, str]
    ) -> bool:
        from agentflows.claude import BatchAsk

        state = self.home.state
        batch_id = state.begin_batch(self.dream.dream_id, self._place, [one.key for one in part])
        failpoint("batch.begun")
        asks = [BatchAsk(one.system, one.user, one.schema, one.max_tokens) for one in part]
        try:
            handle = asker.client().submit_batch(asks, purpose=purpose)
        except BudgetError:
            state.batch_over(batch_id, "refused")
            return False
        except EndpointError as error:
            state.batch_over(batch_id, "refused")
            if error.kind == "not_found" and self.request.calls == "auto":
                self.notes.append("The endpoint takes no batches, so everything is asked one by one.")
                return False
            raise
        asked = {
            custom_id: (one.key, one.schema.__name__, readings.get(one.key, ""))
            for custom_id, one in zip(handle.custom_ids, part, strict=True)
        }
        state.batch_sent(batch_id, handle.id, asked)
        failpoint("batch.submitted")
        return True

    # -- collecting ------------------------------------------------------------------------------

    def collect(self) -> tuple[int, int]:
        """Look at every batch under way, keep the answers of those that ended. Returns batches (left, collected).

        Raises:
            EndpointError: it cannot be found out how far they are.
        """
        asker = self.asker
        if asker is None:
            return 0, 0
        left = ended = 0
        for batch in self.home.state.open_batches(self._place):
            if self._collected(asker, batch):
                ended += 1
            else:
                left += self._is_wanted(batch)
        return left, ended

    def wait(self, say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Wait until no batch is under way; False when `batch_wait_seconds` ran out before.

        `say` gets a line whenever something changed, and once in a while.
        """
        settings = self.home.settings
        waited, told = 0.0, -1
        while True:
            self.check_hold()
            left, _ = self.collect()
            if not left:
                return True
            if left != told or waited % 600 < settings.batch_poll_seconds:
                say(f"    waiting for {_batches(left)}, {waited / 60:.0f} min so far")
                told = left
            if waited >= settings.batch_wait_seconds:
                return False
            pause = min(settings.batch_poll_seconds, settings.batch_wait_seconds - waited)
            sleep(pause)
            waited += pause

    def postpone(self) -> None:
        """End for now: a later run of the same dream, or of one over its sessions, collects and goes on."""
        left = sum(map(self._is_wanted, self.home.state.open_batches(self._place)))
        self.dream = self.dream.model_copy(update={"status": "pending", "ended_at": None})
        self.notes.append(
            f"It waits for {_batches(left)}, as of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. The same command, or the "
            "next scheduled run, collects the answers and goes on; nothing is paid twice."
        )
        self.home.state.save_dream(self.report())
        self.release()

    def _collected(self, asker: Asker, batch: BatchAsked) -> bool:
        client = self._client_of(asker, batch)
        schemas = {custom_id: _SCHEMAS[name] for custom_id, (_, name, _) in batch.asked.items()}
        try:
            if not client.poll_batch(batch.handle).is_ended:
                return False
            results = client.collect_batch(batch.handle, schemas)
        except EndpointError as error:
            if error.kind != "not_found":
                raise
            self.home.state.batch_over(batch.batch_id, "lost")
            self.notes.append(
                "The endpoint knows a batch, or its results, no more; it counts as spent and is asked one by one."
            )
            return True
        rows: dict[str, str] = {}
        unanswered = 0
        for custom_id, result in results:
            if isinstance(result, ModelError):
                unanswered += 1
            else:
                key, _, reading = batch.asked[custom_id]
                rows[key] = _text(result)
                rows |= {reply_key(reading): rows[key]} if reading else {}
        self.home.state.cache(rows)
        failpoint("batch.collected")
        self.home.state.batch_over(batch.batch_id, "collected")
        if unanswered:
            self.notes.append(
                f"A batch left {unanswered:,} of {len(batch.asked):,} questions unanswered; they are asked one by one."
            )
        return True

    def _client_of(self, asker: Asker, batch: BatchAsked) -> "Claude":
        """A client whose purse is the one that paid for the batch."""
        if batch.dream_id == self.dream.dream_id:
            return asker.client()
        purse = self.home.purse(batch.dream_id, Budget())  # it asks nothing, so it needs no ceiling
        return self.home.kept(self.home.claude(purse, model=asker.model))


def _chars(gathered: Mapping[str, Gathered]) -> int:
    return sum(one.chars for one in gathered.values())


def _text(answer: "Answer[BaseModel]") -> str:
    return answer.value.model_dump_json()


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count:,} batches"
