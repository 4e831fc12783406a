"""Measure: which sessions ran with which version of a store, from the archive and the state database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentflows.impact.compare import MINIMUM, Against, buckets, compare
from agentflows.impact.words import Ended, Impact, Step, Version
from agentflows.memory import MemoryStore
from agentflows.session import SessionInfo
from agentflows.store import State

if TYPE_CHECKING:
    from agentflows.archive import Archive

_ALL = 1_000_000_000
_RECALLED = """
SELECT DISTINCT session_id FROM turns WHERE list_contains(list_transform(spans, lambda span: span.kind), 'recalled')
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions a store is for."""

    pairs: frozenset[tuple[str, str]] | None
    """(agent, project) of the sessions its dreams read; None: of all sessions."""
    agent: str = ""
    project: str = ""

    def holds(self, info: SessionInfo) -> bool:
        """Whether the session is in it."""
        if self.agent or self.project:
            return self.agent in {"", info.agent} and self.project in {"", info.project}
        return self.pairs is None or (info.agent, info.project) in self.pairs

    def __str__(self) -> str:
        """In words."""
        if self.agent or self.project:
            return " and ".join(
                f"{what} {name!r}"
                for what, name in (("agent", self.agent), ("project", self.project))
                if name
            )
        if self.pairs is None:
            return "all sessions: no dream over this store read any"
        named = sorted({project or agent or "no name" for agent, project in self.pairs})
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        return f"agents and projects that the store's dreams read: {shown}"


def measure(  # noqa: PLR0913 - each narrows what is compared, by keyword
    state: State,
    archive: "Archive",
    store: str | MemoryStore,
    *,
    project: str = "",
    agent: str = "",
    against: Against = "previous",
    minimum: int = MINIMUM,
    now: datetime | None = None,
) -> Impact:
    """How sessions ended before and after each version of a store that changed what it says.

    A session counts as run with the version that stood when it started, if its agent and project are those of
    the sessions that the store's dreams read (or those given). That holds for one whose log shows nothing recalled,
    too: what counts is the memory that was in force, not whether it was read. A session that breaks off before it
    reads counts before a version, so it must count after. Nothing is written.

    Raises:
        NotFoundError: there is no such store.
        ArchiveError: the archive cannot be read.
    """
    found = state.get_store(store)
    infos = archive.info()
    scope = _scope(state, found, infos, agent, project)
    roots = [info for info in infos if info.session_id == info.root_id and scope.holds(info)]
    labelled = [info for info in roots if info.verdict != "unknown"]
    dated = [info for info in labelled if info.started_at]
    versions = _versions(state, found)
    recalls = _recalls(archive, infos, dated, versions)
    trees = state.trees(found.store_id)
    ended = [_ended(info, recalled=recalls.get(info.session_id)) for info in dated]
    return Impact(
        store=found.name,
        store_id=found.store_id,
        store_version=found.version,
        measured_at=now or datetime.now(UTC).replace(tzinfo=None),
        who=str(scope),
        sessions=len(ended),
        unlabelled=len(roots) - len(labelled),
        undated=len(labelled) - len(dated),
        unmarked=sum(not recalled for recalled in recalls.values()),
        minimum=minimum,
        steps=tuple(
            step.model_copy(update={"undone_by": _undone_by(step, trees)})
            for step in compare(versions, ended, against=against, minimum=minimum)
        ),
        buckets=tuple(buckets(ended)),
    )


def _scope(state: State, store: MemoryStore, infos: Sequence[SessionInfo], agent: str, project: str) -> Scope:
    read = {name for dream in state.dreams(store.store_id) for name in dream.session_ids}
    pairs = frozenset((info.agent, info.project) for info in infos if info.session_id in read)
    return Scope(pairs or None, agent, project)


def _versions(state: State, store: MemoryStore) -> list[Version]:
    """Every version that wrote something, once; a copy begins with its own first."""
    found: dict[int, Version] = {}
    for row in state.versions(store.store_id, limit=_ALL):
        found[row.store_version] = Version(
            version=row.store_version, at=row.created_at, by=row.created_by.name, message=row.message
        )
    return [found[number] for number in sorted(found)]


def _undone_by(step: Step, trees: Mapping[int, str]) -> int | None:
    """The first version after a step at which the store was again, byte for byte, what it was before the step.

    However that came about: by a restore, whose base may be any such version, or by hand.
    """
    before = trees.get(step.restore_to)
    later = sorted(version for version, tree in trees.items() if version > step.version and tree == before)
    return later[0] if later else None


def _recalls(
    archive: "Archive",
    infos: Sequence[SessionInfo],
    dated: Sequence[SessionInfo],
    versions: Sequence[Version],
) -> dict[str, bool]:
    """Whether each session after the first version shows something recalled, of formats that show what is."""
    if not versions or not dated:
        return {}
    first = versions[0].at
    root_of: Mapping[str, str] = {info.session_id: info.root_id for info in infos}
    rows = archive.sql(_RECALLED, limit=_ALL).rows
    marked: Collection[str] = {root_of.get(str(row[0]), str(row[0])) for row in rows}
    later = [info for info in dated if info.started_at and info.started_at >= first]
    shows = {info.format for info in later if info.session_id in marked}
    return {info.session_id: info.session_id in marked for info in later if info.format in shows}


def _ended(info: SessionInfo, *, recalled: bool | None) -> Ended:
    if info.started_at is None:
        raise AssertionError
    what = f"task {info.task}" if info.task else f"project {info.project}"
    return Ended(
        session_id=info.session_id,
        started_at=info.started_at,
        stratum=" · ".join(part for part in (info.format, info.agent, what) if part),
        is_success=info.verdict == "success",
        recalled=recalled,
    )
