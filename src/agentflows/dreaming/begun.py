"""A dream that has begun: what was frozen, what was chosen, what is known so far."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from agentflows import dream as deed
from agentflows.budget import is_refusal
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
from agentflows.dream.engine import Engine, Mined
from agentflows.dreaming.holding import Hold
from agentflows.dreaming.incidents import without_canaries
from agentflows.dreaming.planning import Plan, dream_named, keep_plan, plan_reading
from agentflows.dreaming.probing import named as probes_named
from agentflows.dreaming.probing import probes_of, quoted
from agentflows.dreaming.queued import lapsed
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import (
    AgentflowsError,
    ConflictError,
    DreamError,
    NotFoundError,
    UsageError,
)
from agentflows.home import Home
from agentflows.impact import worse_notes
from agentflows.memory import MemoryStore
from agentflows.probe import Probe
from agentflows.replay import Replay
from agentflows.session import SessionInfo
from agentflows.store import pinned_ids
from agentflows.store.failpoints import failpoint

_TRIAL = "refute/1"
"""How changes are tried by code. Goes up when it would come out differently: that makes another dream."""


@dataclass
class Begun:
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
    probes: tuple[Probe, ...] = ()
    """To be run with the changed memory, before anything is committed."""
    replayed: Replay | None = None
    """What they said."""
    plan: Plan = field(default_factory=Plan)
    heard: set[str] = field(default_factory=set[str])
    """Ids of the sessions that were read, now or earlier."""
    hold: Hold | None = None
    """The lease; None for a dream that was dreamt to its end before."""
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
            BudgetError: not even one session fits the budget; nothing was spent, no store created.
            ConflictError: another dream is at work on the store; the message says who and since when.
            NotFoundError, ProbeError: its probes cannot be run as written.
        """
        now = now or datetime.now(UTC).replace(tzinfo=None)
        archived = home.archive.stats()
        infos = home.archive.info(request.sessions.selection(now))
        if not infos:
            raise DreamError(_nothing_to_read(archived.sessions))
        probes = probes_of(home, request)
        named: list[str] = []
        engine, why = home.engine(
            request.engine,
            lambda: home.purse(named[0], request.budget),
            model=request.model,
            is_money_capped=request.budget.dollars is not None,
        )
        store, notes = _store(home, request, engine, infos)
        files = home.state.files(store.store_id, store.version)
        pinned = pinned_ids(home.state.pins(store.store_id), files)
        base = identity(
            store.store_id,
            store.version,
            store.sha256,
            sorted((info.session_id, info.content_sha256) for info in infos),
            (engine.name, engine.model, engine.prompt_sha256, engine.judge, _TRIAL),
            (request.instructions, request.commit, request.output, request.support),
            # What nobody decided in time is proposed anew, by a new dream.
            sorted(item.change_id for item in home.state.changes(store=store.store_id, status="expired")),
            *([sorted(pinned)] if pinned else []),
            # What has lapsed since is looked at by a new dream, though no session is new.
            *([("lapsed", over)] if (over := lapsed(home.state, store, now.date())) else []),
            *([("probes", probes_named(home, probes))] if probes else []),
        )
        plan = plan_reading(home, request, engine, infos, base)
        dream_id = dream_named(base, plan.number)
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
            notes=[f"Engine {why}.", *notes, *worse_notes(home, store)],
            plan=plan,
            probes=probes,
        )
        run.earlier = run._earlier()
        if run.earlier is None and not run._take():
            return cls.start(home, request, now=now)
        if run.earlier is None:
            keep_plan(home, base, plan)
            home.state.save_dream(run.report())
            failpoint("dream.started")
        return run

    def _take(self) -> bool:
        """Take the lease; False when the store moved before it was taken, so that all has to be looked at again.

        Raises:
            ConflictError: another dream is at work on the store.
        """
        hold = self.home.kept(Hold(self.home.state, self.dream, self.home.actor().name))
        weakref.finalize(self, hold.close)
        self.hold = hold
        if self.home.state.get_store(self.store.store_id).version != self.store.version or self._earlier():
            hold.close()
            return False
        return True

    def release(self) -> None:
        """Let others dream over the store. What was saved stays."""
        if self.hold:
            self.hold.close()

    @property
    def selected(self) -> list[str] | None:
        """The ids of the sessions this dream is about; None for all that are archived."""
        return None if len(self.infos) == self.archived else [info.session_id for info in self.infos]

    def check_hold(self) -> None:
        """Make sure that this dream may still work on its store.

        Raises:
            ConflictError: another process took over, because this one did not answer for longer than its lease.
        """
        if self.hold:
            self.hold.check()

    def _earlier(self) -> DreamReport | None:
        try:
            report = self.home.state.dream(self.dream.dream_id)
        except NotFoundError:
            return None
        # What got no usable answer then is asked for again; all else is known, so only that is paid for.
        unanswered = report.coverage.failed or report.refused.get("model_output")
        untold = report.replay is not None and report.replay.unclear
        return report if report.dream.status == "completed" and not unanswered and not untold else None

    @property
    def is_cut_short(self) -> bool:
        """Whether a budget left sessions unread, or ended a probe that would have told something."""
        probed = self.replayed.probes if self.replayed else ()
        runs = (run for one in probed for run in (*one.present, *one.candidate))
        is_unread = bool(self.plan.left) and self.request.budget != Budget()
        return is_unread or any(is_refusal(run.why) for run in runs if run.result == "unclear")

    @property
    def quoted_cost(self) -> str:
        """What reading may cost at most, for people; "" for an engine that costs nothing."""
        replay = f"; {quoted(self.home, self.probes)}" if self.probes else ""
        if not self.engine.model:
            return replay
        dollars = f", ${self.plan.dollars:.2f}" if self.plan.dollars else ""
        what = f"reading {len(self.plan.chosen or ()):,} of them" if self.plan.left else "reading them"
        return f"; {what} takes up to {self.plan.tokens:,} tokens{dollars} of {self.engine.model}{replay}"

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
        finally:
            self.release()

    def report(self) -> DreamReport:
        """All there is to say so far."""
        counts: dict[str, int] = {}
        for refusal in self.refusals:
            counts[refusal.gate] = counts.get(refusal.gate, 0) + 1
        read = len(self.heard)
        return without_canaries(self._report_as_it_is(counts, read), self.home.canaries)

    def _report_as_it_is(self, counts: dict[str, int], read: int) -> DreamReport:
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
                unread=self.plan.left,
                shares=self.plan.shares(self.heard),
                turns=sum(info.turns for info in self.infos),
                quarantined=self.quarantined,
            ),
            replay=self.replayed,
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
                "estimated_dollars": self.plan.dollars,
                "raw_tokens": sum(info.chars for info in self.infos) // 4,
            }
        )


def _store(
    home: Home, request: DreamRequest, engine: Engine, infos: Sequence[SessionInfo]
) -> tuple[MemoryStore, list[str]]:
    """The store, made where there is none, and what is to be said about that.

    Raises:
        UsageError: it is archived, and the dream is to change it.
        BudgetError: it would have been made for a dream that cannot start.
    """
    notes: list[str] = []
    try:
        store = home.state.get_store(request.store)
    except NotFoundError:
        plan_reading(home, request, engine, infos, "")  # a dream that is refused leaves no empty store behind
        store = store_made(
            home, request.store, lambda: home.state.create_store(request.store, actor=home.actor())
        )
        notes.append(f"The store {request.store!r} did not exist and was created empty.")
    if store.archived_at is not None and request.output == "update_existing":
        msg = (
            f"The store {store.name!r} is archived, which is final: nothing can be written to it. Dream with "
            "--output create_new, which makes a copy, or into another store."
        )
        raise UsageError(msg)
    return store, notes


def store_made(home: Home, name: str, make: Callable[[], MemoryStore]) -> MemoryStore:
    """The store that `make` makes, or the one of that name that another process made just before."""
    try:
        return make()
    except ConflictError:
        return home.state.get_store(name)


def _nothing_to_read(archived: int) -> str:
    if archived:
        return f"None of the {archived:,} archived sessions matches. Widen the filter, or see `agentflows archive stats`."
    return "The archive is empty. Read sessions in first: `agentflows ingest ~/.claude/projects`, or any folder or file."
