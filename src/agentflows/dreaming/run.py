"""The later steps of a dream, from quotes to the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from agentflows import dream as deed
from agentflows.archive import Selection, Witnesses
from agentflows.change import (
    DreamReport,
    Observation,
    Refusal,
)
from agentflows.dream.propose import pattern_key
from agentflows.dreaming.begun import store_made
from agentflows.dreaming.parts import Parted
from agentflows.dreaming.probing import Probing
from agentflows.dreaming.queued import weigh
from agentflows.dreaming.reading import check_endpoints
from agentflows.dreaming.remembering import remembered
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import (
    DreamError,
    NotFoundError,
)
from agentflows.home import Home
from agentflows.lineage.records import Reports
from agentflows.memory import Entry, MemoryStore, parse_entries
from agentflows.probe import Probe
from agentflows.replay import ProbeRun
from agentflows.review import commit_by_policy
from agentflows.session import Session, Turn
from agentflows.store.failpoints import failpoint

Runs = Sequence[ProbeRun]
Each = Callable[[str, str, Callable[[], Runs]], Runs]
"""Carries one probe through with one memory: the probe's name, the memory's, the work."""


Told = Callable[[int, int], None]
"""Called with how many are done, of how many."""


def _unheard(_done: int, _count: int) -> None:
    """Tell nobody."""


def at_once(_probe: str, _memory: str, work: Callable[[], Runs]) -> Runs:
    """Do the work, here and now."""
    return work()


class DreamRun(Parted):
    """One dream under way."""

    # -- 4 to 6. check quotes, cluster, propose ----------------------------------------------------

    def check_quotes(self) -> tuple[int, int]:
        """Find every quote at its address in the archive. Returns observations (passed, refused).

        Raises:
            DreamError: no session at all could be read: that is a failure, not a dream of nothing.
        """
        if self.failures and not self.heard:
            msg = (
                f"None of the {len(self.failures):,} sessions could be read. The first: {self.failures[0]} "
                "Check the model, or use --engine rules; nothing was written."
            )
            raise DreamError(msg)
        roots = {info.session_id: info.root_id for info in self.infos}
        wanted = sorted(session_id for session_id, found in self.observations.items() if found)
        passed: dict[str, list[Observation]] = {}
        refused = 0
        memory = remembered(self.home.state, self.store.store_id, self.store.version)
        for read in self.home.archive.sessions(wanted):
            session = memory.marked(read)
            turns = {turn.seq: turn for turn in session.turns}

            turn_of = self._turn_of(session.session_id, turns)
            recalled = deed.recalled_in(session)
            for observation in self.observations[session.session_id]:
                checked = deed.check_observation(
                    observation,
                    turn_of=turn_of,
                    root_of=lambda name: roots.get(name, name),
                    recalled=recalled,
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
        patterns, refusals = deed.cluster(
            everything, self.engine, support=self.request.support, witnesses=self._witnesses(everything)
        )
        self.refusals.extend(refusals)
        outcomes, refused = deed.outcome_patterns(self.mined, self._turns_of, support=self.request.support)
        projects = {info.project for info in self.infos}
        self.patterns = deed.in_words(patterns, projects)
        self.outcome_patterns = deed.in_words(outcomes, projects)
        self.refusals.extend(refused)
        failpoint("dream.clustered")
        return len(self.patterns) + len(self.outcome_patterns)

    def _witnesses(self, observations: Sequence[Observation]) -> Witnesses | None:
        """Who, of all selected sessions, shows what the observations quote; None when rules have read them all."""
        if not self.engine.model and not self.plan.left:
            return None
        quotes = (quote for one in observations if one.kind in deed.WITNESSED for quote in one.quotes)
        addresses = sorted({(quote.session_id, quote.seq) for quote in quotes})
        return self.home.archive.witnesses(addresses, self.selected)

    def _turns_of(self, session_id: str) -> Sequence[Turn]:
        return next(iter(self.home.archive.sessions([session_id]))).turns

    def hand_in(self) -> int:
        """Hand in what is to be asked about the patterns, where that is many; returns questions under way."""
        return self.hand_in_patterns([*self.patterns, *self.outcome_patterns])

    def propose(self, told: Told = _unheard) -> int:
        """Hold every pattern against every entry of the store. Returns the number of changes.

        `told` hears how many patterns were weighed, of how many.
        """
        self.changes, refusals = deed.propose(
            [*self.patterns, *self.outcome_patterns],
            self.files,
            self.engine,
            dream_id=self.dream.dream_id,
            instructions=self.request.instructions,
            support=max(deed.SUPPORT, self.request.support),
            rejected=self._settled(),
            undone=self.home.state.undone(self.store.store_id),
            known_evidence=self._known_evidence(),
            pinned=self.pinned,
            concurrency=self.home.settings.concurrency if self.engine.model else 1,
            told=told,
        )
        check_endpoints(self.engine)
        self.changes, older = weigh(
            self.home,
            self.store,
            self.entries(),
            self.changes,
            dream_id=self.dream.dream_id,
            today=self.dream.created_at.date(),
            seen=self._settled(),
            read={info.root_id for info in self.infos}.__contains__,
        )
        self.refusals.extend([*refusals, *older])
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

    # -- 7. refute ---------------------------------------------------------------------------------

    def refute(self, told: Told = _unheard) -> tuple[int, int]:
        """Try every change against its full sources. Returns changes (tried, refused).

        `told` hears of how many the engine has spoken, of how many.

        Raises:
            EndpointError, BudgetError: the judge cannot be asked now; what it answered stays known.
        """
        found = deed.cases(
            self.changes,
            self.files,
            [*self.patterns, *self.outcome_patterns],
            self._sessions_there,
            (item for found in self.observations.values() for item in found),
        )
        tried = deed.refute(self.changes, found, self.engine, told=told)
        check_endpoints(self.engine)
        self.changes = [*tried.upheld, *tried.refused]
        self.refusals.extend(tried.refusals)
        if tried.count:
            judge = f"code and {self.engine.judge}" if self.engine.judge else "code"
            self.notes.append(
                f"Tried against their full sources by {judge}: {tried.count:,} changes, {len(tried.refused):,} refused."
            )
        failpoint("dream.refuted")
        return tried.count, len(tried.refused)

    def _sessions_there(self, session_ids: Sequence[str]) -> Iterator[Session]:
        """The sessions of these ids that the archive holds now."""
        there = {
            info.session_id for info in self.home.archive.info(Selection(session_ids=tuple(session_ids)))
        }
        return self.home.archive.sessions([name for name in session_ids if name in there])

    # -- 8. invariants -----------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Every entry of the input store."""
        return [entry for path, text in sorted(self.files.items()) for entry in parse_entries(path, text)]

    def verify(self) -> int:
        """Check in code what no engine is trusted with; a change that breaks it is refused. Returns refused."""
        refused = [change for change in self.changes if change.status == "refused"]
        open_changes = [change for change in self.changes if change.status != "refused"]
        kept, refusals = deed.verify(
            self.files,
            open_changes,
            scan=self.home.secret_in,
            pins=self.pinned,
            canaries=self.home.canaries,
        )
        self.refusals.extend(refusals)
        held = deed.hold(kept, self.entries(), commit=self.request.commit, doubt=self._doubt())
        self.changes = [*held, *refused]
        self.ledger = deed.build_ledger(self.entries(), self.changes)
        unbalanced = self.ledger.imbalance([entry.entry_id for entry in self.entries()])
        if unbalanced:
            msg = f"The ledger does not balance: {unbalanced}. Nothing was written; please report this."
            raise DreamError(msg)
        failpoint("dream.verified")
        return len(open_changes) - len(kept)

    def _doubt(self) -> str:
        """Why the whole dream waits for a person, whatever its changes say."""
        known = self.home.archive.stats()
        return deed.intake_hold(known.quarantined, known.lines)

    # -- 9. replay ---------------------------------------------------------------------------------

    def replay(self, each: Each = at_once) -> str:
        """Run every probe with the present memory and with the candidate, and hold what makes one fail.

        `each` runs one probe with one memory, as a flow's task does: it is given the names of both, and the work.

        Returns:
            What they said in one line; "" where there are no probes.

        Raises:
            StoreError, ArchiveError: the state cannot be read or written; the same dream again goes on.
        """
        if not self.probes:
            return ""
        probing = Probing(self.home, self.request, self.dream.dream_id)

        def run(probe: Probe, arm: str, files: Mapping[str, str]) -> Sequence[ProbeRun]:
            self.check_hold()
            return each(probe.name, arm, lambda: probing.run(probe, files))

        self.changes, found = deed.replay(
            self.changes, self.files, self.probes, run, commit=self.request.commit
        )
        probing.tidy()
        self.replayed = found
        line = found.line if found.probes else "nothing would be written, so no probe was run"
        self.notes.append(f"{line[0].upper()}{line[1:]}.")
        failpoint("dream.replayed")
        return line

    # -- 10 and 11. commit or hold, report -----------------------------------------------------------

    def finish(self, *, now: datetime | None = None) -> DreamReport:
        """Save the dream with what is held, and commit what a policy lets through.

        Raises:
            ConflictError: another process took the store over meanwhile; nothing was saved.
        """
        now = now or datetime.now(UTC).replace(tzinfo=None)
        if self.hold:
            self.hold.confirm()
        output = self.store
        if self.request.output == "create_new" and any(one.status != "refused" for one in self.changes):
            output = self._copy()
            failpoint("dream.copied")
        self.dream = self.dream.model_copy(
            update={"status": "completed", "ended_at": now, "output_store_id": output.store_id}
        )
        self.home.state.save_dream(self.report())
        self.home.state.cancel_pending(self.dream)
        failpoint("dream.saved")
        return self.settle()

    def settle(self) -> DreamReport:
        """Commit what the policy lets through and no commit has taken yet, and return the dream as it stands.

        A dream that was killed, or refused by a full disk, after it was saved is finished by this.

        Raises:
            ConflictError: others kept committing to the store meanwhile; run again.
        """
        if self.request.commit == "auto":
            commit_by_policy(
                self.home.state,
                self.dream.dream_id,
                scan=self.home.secret_in,
                lease=self.hold.lease if self.hold else None,
            )
        self.release()
        return self.home.state.dream(self.dream.dream_id)

    def _copy(self) -> MemoryStore:
        name = f"{self.store.name}-{self.dream.dream_id[4:12]}"
        try:
            return self.home.state.get_store(name)
        except NotFoundError:
            copy = self.home.state.copy_store
            return store_made(
                self.home, name, lambda: copy(self.store.store_id, name, actor=self.home.actor())
            )


def dream_over(
    home: Home, request: DreamRequest, *, elsewhere: Callable[[DreamRun], None] | None = None
) -> DreamReport:
    """A whole dream without Prefect: for tests, and for programs that have a scheduler of their own.

    `elsewhere` has the sessions read by other processes (`part_out`, `carry_out_part`, `take_in`).
    """
    run = DreamRun.start(home, request)
    if run.earlier is not None:
        return run.settle()
    try:
        run.mine()
        run.recall()
        if run.hand_in_sessions() and not run.wait(_silently):
            run.postpone()
            return run.report()
        if elsewhere is not None and run.pending:
            elsewhere(run)
        for number in range(1, len(run.pending) + 1):
            run.extract(number)
        run.check_quotes()
        run.cluster()
        if run.hand_in() and not run.wait(_silently):
            run.postpone()
            return run.report()
        run.propose()
        run.refute()
        run.verify()
        run.replay()
        return run.finish()
    except Exception as error:
        run.fail(error)
        raise
    finally:
        run.release()


def _silently(_line: str) -> None:
    """Say nothing while waiting."""
