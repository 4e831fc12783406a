"""One dream over one home, step by step: what `flows/dream.py` shows as tasks.

`DreamRun` holds what the steps hand on. It composes the doors of a `Home` with the pure steps of
`agentflows.dream`; nothing here knows Prefect, so a dream can be run and tested without a server.

Kill-safety: the dream's id is a hash of all that decides its result, what a session taught is kept under
the session's content as soon as it is known, every model answer is kept under its question, and the end
is one transaction. A run that dies anywhere is simply run again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentflows import dream as deed
from agentflows import model as models
from agentflows.archive import Selection
from agentflows.change import (
    Budget,
    Change,
    Cost,
    Coverage,
    Dream,
    DreamReport,
    Ledger,
    Observation,
    Pattern,
    Refusal,
    identity,
)
from agentflows.dream.digest import digest_tokens
from agentflows.dream.engine import Engine, Hint, Mined
from agentflows.dream.outcomes import OUTCOME_QUERIES
from agentflows.dream.propose import pattern_key
from agentflows.errors import (
    AgentflowsError,
    BudgetError,
    ConflictError,
    DreamError,
    ModelOutputError,
    NotFoundError,
    UsageError,
)
from agentflows.home import EngineChoice, Home
from agentflows.lineage.records import Reports
from agentflows.memory import Entry, MemoryStore, parse_entries
from agentflows.review import commit_by_policy
from agentflows.session import Session, SessionInfo, Turn
from agentflows.store import pinned_ids
from agentflows.store.failpoints import failpoint

MAX_INSTRUCTIONS = 4_096
"""Hosted limit, in characters."""
_HINT_ROWS = 5_000
"""Rows of a query that only hints where to look. What counts outcomes is never cut."""
_PROMPT_TOKENS = 2_000
_ANSWER_TOKENS = 1_200
"""Per session, prompt and schema included; answers seldom reach it. Both only quote a cost beforehand."""


class Reading(BaseModel):
    """What is kept of reading one session."""

    model_config = ConfigDict(frozen=True)

    observations: tuple[Observation, ...] = ()
    dropped: tuple[Refusal, ...] = ()
    """What the engine said and code did not let through, already in the reading."""


class SessionFilter(BaseModel):
    """Which sessions to read. What is left empty does not restrict; there is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str = Field(
        default="", title="Since", description="A date such as 2026-11-01, or an age such as 7d"
    )
    until: str = Field(default="", title="Until", description="A date (exclusive), or an age")
    project: str = Field(default="", title="Project", description="The folder or product worked on")
    agent: str = Field(default="", title="Agent", description="Such as claude-code")
    outcome: Literal["any", "success", "failure"] = Field(default="any", title="Outcome")
    query: str = Field(default="", title="SQL condition", description="Over the view sessions: errors > 3")
    ids: list[str] = Field(default=[], title="Session ids", description="Exactly these")
    limit: int = Field(default=0, ge=0, title="At most", description="The newest so many; 0 is all")

    @field_validator("since", "until")
    @classmethod
    def _a_time(cls, value: str) -> str:
        parse_time(value)
        return value

    def selection(self, now: datetime | None = None) -> Selection:
        """The archive's own words for it."""
        return Selection(
            session_ids=tuple(self.ids) or None,
            since=parse_time(self.since, now),
            until=parse_time(self.until, now),
            project=self.project or None,
            agent=self.agent or None,
            verdict=None if self.outcome == "any" else self.outcome,
            query=self.query or None,
            limit=self.limit or None,
        )


def parse_time(text: str, now: datetime | None = None) -> datetime | None:
    """A date (`2026-11-01`, with or without a time) or an age (`36h`, `7d`, `2w`), in UTC; "" is None.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    if not text:
        return None
    units = {"h": "hours", "d": "days", "w": "weeks"}
    if text[:-1].isdigit() and text[-1] in units:
        base = now or datetime.now(UTC).replace(tzinfo=None)
        return base - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is neither a date such as 2026-11-01 nor an age such as 7d."
        raise ValueError(msg) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


class DreamRequest(BaseModel):
    """What is asked of one dream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = "team"
    sessions: SessionFilter = SessionFilter()
    engine: EngineChoice = "auto"
    model: str = ""
    commit: Literal["review", "auto"] = "review"
    output: Literal["update_existing", "create_new"] = "update_existing"
    instructions: str = ""
    budget: Budget = Budget()
    support: int = Field(default=2, ge=1)
    """Distinct sessions, of distinct origin, that must say the same before it is proposed."""

    @field_validator("instructions")
    @classmethod
    def _fits(cls, value: str) -> str:
        if len(value) > MAX_INSTRUCTIONS:
            msg = f"instructions are {len(value):,} characters; at most {MAX_INSTRUCTIONS:,} are allowed"
            raise ValueError(msg)
        return value


@dataclass
class DreamRun:
    """One dream under way."""

    home: Home
    request: DreamRequest
    engine: Engine
    why_engine: str
    store: MemoryStore
    files: dict[str, str]
    infos: list[SessionInfo]
    dream: Dream
    archived: int
    quarantined: int
    notes: list[str] = field(default_factory=list[str])
    mined: Mined = field(default_factory=dict[str, list[dict[str, Any]]])
    observations: dict[str, list[Observation]] = field(default_factory=dict[str, list[Observation]])
    from_cache: int = 0
    failures: list[str] = field(default_factory=list[str])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    patterns: list[Pattern] = field(default_factory=list[Pattern])
    outcome_patterns: list[Pattern] = field(default_factory=list[Pattern])
    changes: list[Change] = field(default_factory=list[Change])
    ledger: Ledger = field(default_factory=Ledger)
    pending: list[list[SessionInfo]] = field(default_factory=list[list[SessionInfo]])
    """Batches of sessions still to be read."""
    pinned: frozenset[str] = frozenset()
    """Ids of entries that only a person may touch."""
    estimated_dollars: float = 0.0
    estimated_tokens: int = 0
    earlier: DreamReport | None = None
    """The same dream, when it was dreamt to its end before."""

    # -- 1. snapshot and select ------------------------------------------------------------------

    @classmethod
    def start(cls, home: Home, request: DreamRequest, *, now: datetime | None = None) -> Self:
        """Freeze the store, choose the sessions, name the dream and quote its cost.

        Raises:
            DreamError: the archive holds no such session.
            SettingsError: the engine cannot be used.
            UsageError: the store is archived, and the dream is to change it.
            BudgetError: the estimate is over the budget; nothing was spent, no store created.
        """
        now = now or datetime.now(UTC).replace(tzinfo=None)
        archived = home.archive.stats()
        infos = home.archive.info(request.sessions.selection(now))
        if not infos:
            raise DreamError(_nothing_to_read(archived.sessions))
        named: list[str] = []
        engine, why = home.engine(
            request.engine,
            lambda: home.purse(named[0], request.budget),
            model=request.model,
            is_money_capped=request.budget.dollars is not None,
        )
        notes: list[str] = []
        try:
            store = home.state.get_store(request.store)
        except NotFoundError:
            _quote(home, request, engine, infos)  # a dream that is refused leaves no empty store behind
            store = _made(
                home, request.store, lambda: home.state.create_store(request.store, actor=home.actor())
            )
            notes.append(f"The store {request.store!r} did not exist and was created empty.")
        if store.archived_at is not None and request.output == "update_existing":
            msg = (
                f"The store {store.name!r} is archived, which is final: nothing can be written to it. Dream with "
                "--output create_new, which makes a copy, or into another store."
            )
            raise UsageError(msg)
        files = home.state.files(store.store_id, store.version)
        pinned = pinned_ids(home.state.pins(store.store_id), files)
        dream_id = "drm_" + identity(
            store.store_id,
            store.version,
            store.sha256,
            sorted((info.session_id, info.content_sha256) for info in infos),
            (engine.name, engine.model, engine.prompt_sha256),
            (request.instructions, request.commit, request.output, request.support),
            # What nobody decided in time is proposed anew, by a new dream.
            sorted(item.change_id for item in home.state.changes(store=store.store_id, status="expired")),
            *([sorted(pinned)] if pinned else []),
        )
        named.append(dream_id)
        dream = Dream(
            dream_id=dream_id,
            status="running",
            store_id=store.store_id,
            store_name=store.name,
            base_version=store.version,
            base_sha256=store.sha256,
            session_ids=tuple(info.session_id for info in infos),
            engine=engine.name,
            model=engine.model,
            instructions=request.instructions,
            commit=request.commit,
            output=request.output,
            created_at=now,
        )
        run = cls(
            home=home,
            request=request,
            engine=engine,
            why_engine=why,
            store=store,
            files=files,
            pinned=pinned,
            infos=infos,
            dream=dream,
            archived=archived.sessions,
            quarantined=archived.quarantined,
            notes=[f"Engine {why}.", *notes],
        )
        run.earlier = run._earlier()
        if run.earlier is None:
            run.estimated_tokens, run.estimated_dollars = _quote(home, request, engine, infos)
            home.state.save_dream(run.report())
            failpoint("dream.started")
        return run

    def _earlier(self) -> DreamReport | None:
        try:
            report = self.home.state.dream(self.dream.dream_id)
        except NotFoundError:
            return None
        # What got no usable answer then is asked for again; all else is known, so only that is paid for.
        unanswered = report.coverage.failed or report.refused.get("model_output")
        return report if report.dream.status == "completed" and not unanswered else None

    @property
    def quoted_cost(self) -> str:
        """What reading may cost at most, for people; "" for an engine that costs nothing."""
        if not self.engine.model:
            return ""
        dollars = f", ${self.estimated_dollars:.2f}" if self.estimated_dollars else ""
        return f"; reading them takes up to {self.estimated_tokens:,} tokens{dollars} of {self.engine.model}"

    # -- 2. mine ---------------------------------------------------------------------------------

    def mine(self) -> int:
        """Ask the archive's pattern queries over the selected sessions; returns how many rows they gave."""
        ids = None if len(self.infos) == self.archived else [info.session_id for info in self.infos]
        for name in deed.MINED:
            limit = None if name in OUTCOME_QUERIES else _HINT_ROWS + 1
            rows = self.home.archive.pattern(name, session_ids=ids, limit=limit)
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
        unread = [info for key, info in keys.items() if key not in found]
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
        """
        batch = self.pending[number - 1]
        hints = deed.hints(self.mined, {info.session_id for info in batch})
        keys = {info.session_id: self._key(info) for info in batch}
        sessions = self.home.archive.sessions([info.session_id for info in batch])
        read = self._read_at_once if self.engine.model else self._read_in_turn
        made = read(sessions, hints, keys)
        failpoint(f"dream.batch.{number}")
        return made

    def _read_in_turn(
        self, sessions: Iterable[Session], hints: Mapping[str, Sequence[Hint]], keys: Mapping[str, str]
    ) -> int:
        readings = {
            session.session_id: self._read(session, hints.get(session.session_id, [])) for session in sessions
        }
        self.home.state.cache({keys[name]: reading.model_dump_json() for name, reading in readings.items()})
        return sum(self._keep(name, reading) for name, reading in readings.items())

    def _read_at_once(
        self, sessions: Iterable[Session], hints: Mapping[str, Sequence[Hint]], keys: Mapping[str, str]
    ) -> int:
        made = 0
        with ThreadPoolExecutor(self.home.settings.concurrency) as pool:
            jobs = {
                pool.submit(self._read, session, hints.get(session.session_id, [])): session.session_id
                for session in sessions
            }
            try:
                for job in as_completed(jobs):
                    try:
                        reading = job.result()
                    except ModelOutputError as error:
                        self.failures.append(f"{jobs[job]}: {error}")
                        continue
                    self.home.state.cache({keys[jobs[job]]: reading.model_dump_json()})
                    made += self._keep(jobs[job], reading)
                    failpoint(f"dream.read.{len(self.observations)}")
            except AgentflowsError:
                pool.shutdown(cancel_futures=True)
                raise
        return made

    def _read(self, session: Session, hints: Sequence[Hint]) -> Reading:
        observations = self.engine.extract(session, hints)
        dropped = [item for item in self.engine.dropped if item.session_id == session.session_id]
        return Reading(observations=tuple(observations), dropped=tuple(dropped))

    def _keep(self, session_id: str, reading: Reading) -> int:
        self.observations[session_id] = list(reading.observations)
        self.refusals.extend(reading.dropped)
        return len(reading.observations)

    def _key(self, info: SessionInfo) -> str:
        return _reading_key(self.engine, info)

    # -- 4 to 6. check quotes, cluster, propose ----------------------------------------------------

    def check_quotes(self) -> tuple[int, int]:
        """Find every quote at its address in the archive. Returns observations (passed, refused).

        Raises:
            DreamError: no session at all could be read: that is a failure, not a dream of nothing.
        """
        if len(self.failures) == len(self.infos):
            msg = (
                f"None of the {len(self.infos):,} sessions could be read. The first: {self.failures[0]} "
                "Check the model, or use --engine rules; nothing was written."
            )
            raise DreamError(msg)
        roots = {info.session_id: info.root_id for info in self.infos}
        wanted = sorted(session_id for session_id, found in self.observations.items() if found)
        passed: dict[str, list[Observation]] = {}
        refused = 0
        for session in self.home.archive.sessions(wanted):
            turns = {turn.seq: turn for turn in session.turns}

            turn_of = self._turn_of(session.session_id, turns)
            for observation in self.observations[session.session_id]:
                checked = deed.check_observation(
                    observation, turn_of=turn_of, root_of=lambda name: roots.get(name, name)
                )
                if isinstance(checked, Refusal):
                    refused += 1
                    self.refusals.append(checked)
                else:
                    passed.setdefault(session.session_id, []).append(checked)
        self.observations = passed
        failpoint("dream.checked")
        return sum(len(found) for found in passed.values()), refused

    def _turn_of(self, own: str, turns: dict[int, Turn]) -> Callable[[str, int], Turn]:
        def turn_of(session_id: str, seq: int) -> Turn:
            return turns[seq] if session_id == own else self.home.archive.turn(session_id, seq)

        return turn_of

    def cluster(self) -> int:
        """Bring together what says the same. Returns the number of patterns with enough support."""
        everything = [item for found in self.observations.values() for item in found]
        patterns, refusals = deed.cluster(everything, self.engine, support=self.request.support)
        self.refusals.extend(refusals)
        outcomes, refused = deed.outcome_patterns(self.mined, self._turns_of, support=self.request.support)
        projects = {info.project for info in self.infos}
        self.patterns = deed.in_words(patterns, projects)
        self.outcome_patterns = deed.in_words(outcomes, projects)
        self.refusals.extend(refused)
        failpoint("dream.clustered")
        return len(self.patterns) + len(self.outcome_patterns)

    def _turns_of(self, session_id: str) -> Sequence[Turn]:
        return next(iter(self.home.archive.sessions([session_id]))).turns

    def propose(self) -> int:
        """Hold every pattern against every entry of the store. Returns the number of changes."""
        self.changes, refusals = deed.propose(
            [*self.patterns, *self.outcome_patterns],
            self.files,
            self.engine,
            dream_id=self.dream.dream_id,
            instructions=self.request.instructions,
            rejected=self._settled(),
            undone=self.home.state.undone(self.store.store_id),
            known_evidence=self._known_evidence(),
            pinned=self.pinned,
            concurrency=self.home.settings.concurrency if self.engine.model else 1,
        )
        self.refusals.extend(refusals)
        failpoint("dream.proposed")
        return len(self.changes)

    def _known_evidence(self) -> set[tuple[str, str]]:
        """Each (pattern key, root session) that the store rests on: quoted, or counted with what is quoted.

        A change shows a few quotes; the sessions counted with them are in the report of its dream.
        """
        keys = self.home.state.evidence_keys(self.store.store_id)
        quoted = {(part, root) for key, root in keys for part in key.split("\n")}
        known, reports = set(quoted), Reports(self.home.state)
        for one in self.home.state.committed(self.store.store_id):
            for pattern in reports.patterns(one.change):
                counted = {(pattern_key(pattern), root) for root in pattern.sessions}
                if not one.is_undone and counted & quoted:
                    left = reports.still(one.change)
                    known |= {(key, root) for key, root in counted if root in left}
        return known

    def _settled(self) -> dict[str, str]:
        """What a person decided before about the same idea in the same place: rejections, and flags seen to."""
        seen = [
            change
            for change in self.home.state.changes(store=self.store.store_id, status="committed")
            if change.op == "flag"
        ]
        flags = {change.memo_key: "a reviewer has seen this flag" for change in seen}
        return flags | self.home.state.rejections(self.store.store_id)

    # -- 8. invariants -----------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Every entry of the input store."""
        return [entry for path, text in sorted(self.files.items()) for entry in parse_entries(path, text)]

    def verify(self) -> int:
        """Check in code what no engine is trusted with; a change that breaks it is refused. Returns refused."""
        before = len(self.changes)
        self.changes, refusals = deed.verify(
            self.files, self.changes, scan=self.home.secret_in, pins=self.pinned
        )
        self.refusals.extend(refusals)
        self.changes = deed.hold(self.changes, self.entries(), commit=self.request.commit)
        self.ledger = deed.build_ledger(self.entries(), self.changes)
        unbalanced = self.ledger.imbalance([entry.entry_id for entry in self.entries()])
        if unbalanced:
            msg = f"The ledger does not balance: {unbalanced}. Nothing was written; please report this."
            raise DreamError(msg)
        failpoint("dream.verified")
        return before - len(self.changes)

    # -- 10 and 11. commit or hold, report -----------------------------------------------------------

    def finish(self, *, now: datetime | None = None) -> DreamReport:
        """Save the dream with what is held, and commit what a policy lets through."""
        now = now or datetime.now(UTC).replace(tzinfo=None)
        output = self.store
        if self.request.output == "create_new" and self.changes:
            output = self._copy()
            failpoint("dream.copied")
        self.dream = self.dream.model_copy(
            update={"status": "completed", "ended_at": now, "output_store_id": output.store_id}
        )
        self.home.state.save_dream(self.report())
        failpoint("dream.saved")
        return self.settle()

    def settle(self) -> DreamReport:
        """Commit what the policy lets through and no commit has taken yet, and return the dream as it stands.

        A dream that was killed, or refused by a full disk, after it was saved is finished by this.

        Raises:
            ConflictError: others kept committing to the store meanwhile; run again.
        """
        if self.request.commit == "auto":
            commit_by_policy(self.home.state, self.dream.dream_id, scan=self.home.secret_in)
        return self.home.state.dream(self.dream.dream_id)

    def _copy(self) -> MemoryStore:
        name = f"{self.store.name}-{self.dream.dream_id[4:12]}"
        try:
            return self.home.state.get_store(name)
        except NotFoundError:
            copy = self.home.state.copy_store
            return _made(self.home, name, lambda: copy(self.store.store_id, name, actor=self.home.actor()))

    def fail(self, error: BaseException, *, now: datetime | None = None) -> None:
        """Record that the dream ended without a result, and why."""
        now = now or datetime.now(UTC).replace(tzinfo=None)
        self.dream = self.dream.model_copy(
            update={
                "status": "failed",
                "ended_at": now,
                "error_type": type(error).__name__,
                "error": str(error) if isinstance(error, AgentflowsError) else type(error).__name__,
            }
        )
        # A disk that is full or a database that is damaged ended the dream; the error must say that, not this.
        try:
            self.home.state.save_dream(self.report())
        except Exception as second:  # noqa: BLE001 - whatever it is, the first error is the one to be seen
            error.add_note(f"That the dream failed could not be recorded either: {second}")

    def report(self) -> DreamReport:
        """All there is to say so far."""
        counts: dict[str, int] = {}
        for refusal in self.refusals:
            counts[refusal.gate] = counts.get(refusal.gate, 0) + 1
        read = len(self.infos) - len(self.failures)
        return DreamReport(
            dream=self.dream,
            changes=tuple(self.changes),
            ledger=self.ledger,
            coverage=Coverage(
                archived=self.archived,
                selected=len(self.infos),
                read=read - self.from_cache,
                from_cache=self.from_cache,
                failed=len(self.failures),
                failures=tuple(self.failures),
                turns=sum(info.turns for info in self.infos),
                quarantined=self.quarantined,
            ),
            patterns=(*self.patterns, *self.outcome_patterns),
            refusals=tuple(deed.sample_refusals(self.refusals)),
            refused=counts,
            cost=self._cost(),
            notes=(*self.notes, *deed.engine_notes(self.engine, self.request.instructions)),
        )

    def _cost(self) -> Cost:
        spent = self.home.state.spent(f"dream:{self.dream.dream_id}")
        return spent.model_copy(
            update={
                "model": self.engine.model,
                "estimated_dollars": self.estimated_dollars,
                "raw_tokens": sum(info.chars for info in self.infos) // 4,
            }
        )


def dream_over(home: Home, request: DreamRequest) -> DreamReport:
    """A whole dream without Prefect: for tests, and for programs that have a scheduler of their own."""
    run = DreamRun.start(home, request)
    if run.earlier is not None:
        return run.settle()
    try:
        run.mine()
        run.recall()
        for number in range(1, len(run.pending) + 1):
            run.extract(number)
        run.check_quotes()
        run.cluster()
        run.propose()
        run.verify()
        return run.finish()
    except Exception as error:
        run.fail(error)
        raise


def _quote(
    home: Home, request: DreamRequest, engine: Engine, infos: Sequence[SessionInfo]
) -> tuple[int, float]:
    """What reading the sessions may need at most, in tokens and in dollars.

    Raises:
        BudgetError: it is more than the budget allows, or cannot be known.
    """
    if not engine.model:
        return 0, 0.0
    known = home.state.cached([_reading_key(engine, info) for info in infos])
    unread = [info for info in infos if _reading_key(engine, info) not in known]
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


def _reading_key(engine: Engine, info: SessionInfo) -> str:
    return "obs:" + identity(info.content_sha256, engine.name, engine.prompt_sha256, engine.model)


def _made(home: Home, name: str, make: Callable[[], MemoryStore]) -> MemoryStore:
    """The store that `make` makes, or the one of that name that another process made just before."""
    try:
        return make()
    except ConflictError:
        return home.state.get_store(name)


def _nothing_to_read(archived: int) -> str:
    if archived:
        return f"None of the {archived:,} archived sessions matches. Widen the filter, or see `agentflows archive stats`."
    return "The archive is empty. Read sessions in first: `agentflows ingest ~/.claude/projects`, or any folder or file."


__all__ = ["DreamRequest", "DreamRun", "Hint", "SessionFilter", "UsageError", "dream_over", "parse_time"]
