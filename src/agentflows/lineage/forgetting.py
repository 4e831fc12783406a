"""Forget: what rests on one session alone goes from every store; what rests on others too is counted anew.

What a dream reworded, merged or retired on the word of that session alone goes back to its earlier words, where
they can be put back exactly; where not, it is listed for a person and left as it is. All of it is one transaction
over all stores. Then the session leaves the archive, for good. A run that dies between the two is run again.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from agentflows.errors import NotFoundError, UsageError
from agentflows.lineage.records import Records, Reports, root_of
from agentflows.lineage.remembered import kept_answers
from agentflows.lineage.unravel import EntryFate, Unravelled, unravel
from agentflows.lineage.waiting import settle_waiting
from agentflows.memory import Actor
from agentflows.session import SessionInfo
from agentflows.store import Forgetful, OpenFate, Scan, State

if TYPE_CHECKING:
    from agentflows.archive import Archive


class StoreForgotten(BaseModel):
    """What forgetting comes to in one store."""

    model_config = ConfigDict(frozen=True)

    store_id: str
    store_name: str
    version: int
    """The store's version before."""
    made_version: int | None = None
    """The version it made; None when no text changed, or nothing was done yet."""
    evidence: int
    """Quotes of the session that entries rested on, in all versions."""
    entries: tuple[EntryFate, ...] = ()

    @property
    def for_a_person(self) -> tuple[EntryFate, ...]:
        """What code could not put right by itself."""
        return tuple(entry for entry in self.entries if entry.action == "left")


class WaitingFate(BaseModel):
    """What becomes of a change that waits for review."""

    model_config = ConfigDict(frozen=True)

    change_id: str
    dream_id: str
    action: Literal["expired", "recounted"]
    reason: str
    support: int
    """Sessions it rests on from now on."""


class Forgotten(BaseModel):
    """What forgetting a session does, or would do."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    sub_agents: tuple[str, ...] = ()
    is_archived: bool
    """Whether the archive held it."""
    is_done: bool = False
    """False: this only says what would be done."""
    stores: tuple[StoreForgotten, ...] = ()
    waiting: tuple[WaitingFate, ...] = ()
    cached: int = 0
    """Kept answers about the session that are deleted."""
    archive_removed: int = 0
    """Sessions that left the archive, sub-agents included."""

    @property
    def for_a_person(self) -> int:
        """How many entries somebody has to look at."""
        return sum(len(store.for_a_person) for store in self.stores)


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    says: Forgotten
    stores: tuple[Forgetful, ...]
    waiting: tuple[OpenFate, ...]
    cache_keys: tuple[str, ...]


def plan_forget(state: State, archive: "Archive", session: str) -> Forgotten:
    """What `forget` would do. Nothing is written.

    Raises:
        NotFoundError: neither the archive nor any store knows the session.
        UsageError: it is a sub-agent, or the beginning of several ids.
    """
    return _plan(state, archive, session).says


def forget(  # noqa: PLR0913 - who, why, and what is spared
    state: State,
    archive: "Archive",
    session: str,
    *,
    actor: Actor,
    reason: str = "",
    keep_archive: bool = False,
    scan: Scan | None = None,
) -> Forgotten:
    """Forget one session: in all stores, in the changes that wait, in kept answers, and in the archive.

    `keep_archive` leaves the session in the archive, where the next dream may learn from it again. Forgetting
    what was forgotten already changes nothing.

    Raises:
        NotFoundError: neither the archive nor any store knows the session.
        UsageError: it is a sub-agent, or the beginning of several ids.
        ConflictError: a store or a change moved meanwhile; nothing was written, run it again.
        StoreError: the result breaks a limit or holds a secret; nothing was written.
        ArchiveError: the stores forgot it, and the archive could not be written; run it again.
    """
    plan = _plan(state, archive, session)
    says = plan.says
    made: dict[str, int] = {}
    if plan.stores or plan.waiting or plan.cache_keys:
        message = f"forget session {says.session_id}" + (f": {reason}" if reason else "")
        stores = state.forget(
            says.session_id,
            plan.stores,
            waiting=plan.waiting,
            cache_keys=plan.cache_keys,
            actor=actor,
            message=message,
            scan=scan,
        )
        made = {store.store_id: store.version for store in stores}
    removed = 0 if keep_archive else archive.remove([says.session_id])
    return says.model_copy(
        update={
            "is_done": True,
            "archive_removed": removed,
            "stores": tuple(_with_version(store, made) for store in says.stores),
        }
    )


def _with_version(store: StoreForgotten, made: dict[str, int]) -> StoreForgotten:
    version = made.get(store.store_id, store.version)
    return store.model_copy(update={"made_version": version if version != store.version else None})


def _plan(state: State, archive: "Archive", session: str) -> _Plan:
    infos = archive.info()
    reports = Reports(state)
    session_id = _named(state, infos, reports, session)
    unravelled: list[Unravelled] = []
    for store in state.list_stores(archived=True):
        found = unravel(Records(state, store, reports), session_id)
        if found is not None:
            unravelled.append(found)
    waiting = settle_waiting(state, reports, session_id)
    keys = tuple(kept_answers(state, session_id))
    sub_agents = tuple(
        sorted(info.session_id for info in infos if info.root_id == session_id != info.session_id)
    )
    touched = {one.store.store_id for one in unravelled}
    waited_for = {store.store_id: store for fate in waiting if (store := reports.store(fate.change))}
    says = Forgotten(
        session_id=session_id,
        sub_agents=sub_agents,
        is_archived=any(info.root_id == session_id for info in infos),
        stores=tuple(map(_store_word, unravelled)),
        waiting=tuple(map(_waiting_word, waiting)),
        cached=len(keys),
    )
    return _Plan(
        says=says,
        stores=(
            *(
                Forgetful(one.store.store_id, one.store.version, one.edits, one.restated)
                for one in unravelled
            ),
            *(
                Forgetful(store.store_id, store.version)
                for store in waited_for.values()
                if store.store_id not in touched
            ),
        ),
        waiting=tuple(waiting),
        cache_keys=keys,
    )


def _store_word(one: Unravelled) -> StoreForgotten:
    return StoreForgotten(
        store_id=one.store.store_id,
        store_name=one.store.name,
        version=one.store.version,
        evidence=one.evidence,
        entries=tuple(one.entries),
    )


def _waiting_word(fate: OpenFate) -> WaitingFate:
    return WaitingFate(
        change_id=fate.change.change_id,
        dream_id=fate.change.dream_id,
        action="expired" if fate.expired else "recounted",
        reason=fate.expired or fate.change.status_reason,
        support=fate.change.support,
    )


def _named(state: State, infos: Sequence[SessionInfo], reports: Reports, wanted: str) -> str:
    """The root session that is meant, by its id or the beginning of it."""
    known = _known(state, infos)
    found = _fitting(known, wanted)
    if not found:  # one that was only counted, and left the archive some other way
        counted = {root for change in state.changes() for root in reports.sessions(change)}
        known = {root: root for root in counted}
        found = _fitting(known, wanted)
    own = [name for name in found if known[name] == name]
    if len(own) == 1:
        return own[0]
    if own:
        msg = f"{wanted!r} begins {len(own)} ids: {', '.join(own[:5])}. Give more of it."
        raise UsageError(msg)
    if found:
        root = known[found[0]]
        msg = f"{found[0]!r} is a sub-agent's part of the session {root!r}, and both count as one. Forget {root!r}."
        raise UsageError(msg)
    msg = (
        f"No session {wanted!r} is in the archive, and nothing rests on one. "
        "`agentflows archive search` and `archive sql` find ids."
    )
    raise NotFoundError(msg)


def _known(state: State, infos: Sequence[SessionInfo]) -> dict[str, str]:
    """Each session that is archived, quoted or was forgotten before, and the one it counts for."""
    known = {info.session_id: info.root_id for info in infos}
    for store in state.list_stores(archived=True):
        known |= {row.session_id: row.root_id for row in state.evidence(store.store_id)}
        known |= {root: root for root in state.forgotten(store.store_id)}
    quotes = [quote for change in state.changes() for quote in change.quotes]
    known |= {quote.session_id: root_of(quote) for quote in quotes}
    return known | {root: root for root in known.values()}


def _fitting(known: Mapping[str, str], wanted: str) -> list[str]:
    if wanted in known:
        return [wanted]
    return sorted(name for name in known if wanted and name.startswith(wanted))
