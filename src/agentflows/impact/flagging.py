"""Flagging: versions that made things worse are kept on record, told, and answered by the restore that undoes them."""

from collections.abc import Sequence

from agentflows.home import Home
from agentflows.impact.measure import measure
from agentflows.impact.page import lost_too, restore_command
from agentflows.impact.words import Impact
from agentflows.memory import Actor, MemoryStore
from agentflows.store import ImpactFlag, State, Worse


def record(state: State, impact: Impact, *, actor: Actor) -> list[ImpactFlag]:
    """Keep which versions the measurement found worse, and return all flags of the store.

    What a later version undid before anybody measured needs no flag.

    Raises:
        NotFoundError: the store is gone.
    """
    known = {flag.worse.version for flag in state.impact_flags(impact.store_id)}
    worse = [
        Worse(
            first_version=step.first_version,
            version=step.version,
            why=step.why,
            low=step.difference.low,
            high=step.difference.high,
        )
        for step in impact.worse
        if step.difference and (step.undone_by is None or step.version in known)
    ]
    return state.record_impact(impact.store_id, worse, actor=actor)


def flag_line(store: MemoryStore, flag: ImpactFlag) -> str:
    """One line about a flag: what was found, and what to do or what was done."""
    worse = flag.worse
    first = "" if worse.first_version == worse.version else f"s {worse.first_version} to"
    told = f"Version{first} {worse.version}: {worse.why}."
    if flag.status == "restored":
        return f"{told} Undone by the restore in version {flag.by_version}."
    if flag.status == "withdrawn":
        return f"{told} A later measurement no longer says so."
    also = lost_too(worse.version, store.version)
    return f"{told} Undo: `{restore_command(store.name, worse.restore_to)}`{also}"


def flag_notes(store: MemoryStore, flags: Sequence[ImpactFlag]) -> list[str]:
    """What there is to say of the flags that are open."""
    return [flag_line(store, flag) for flag in flags if flag.status == "open"]


def worse_notes(home: Home, store: MemoryStore) -> list[str]:
    """What a dream's report says of versions after which sessions went worse, measured anew and kept.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    if not store.version:
        return []
    found = measure(home.state, home.archive, store)
    return flag_notes(store, record(home.state, found, actor=home.actor()))
