"""What an approval comes to over the store as it is now: which changes still fit, and what the files then say.

Nothing is written here. A commit carries out the very plan that a reviewer can look at first.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agentflows import dream as deed
from agentflows.change import Change, Dream, DreamReport
from agentflows.dream.resolving import Answer, resolved
from agentflows.dream.texts import says_again
from agentflows.errors import StoreError
from agentflows.memory import MemoryStore, parse_entries
from agentflows.review.choosing import OPEN, check_editable, chosen
from agentflows.store import State, pinned_ids, secret_brought, touches_pinned

Scan = Callable[[str], str]


class Plan(BaseModel):
    """What a commit of some changes would do to a store, made for one version of it."""

    model_config = ConfigDict(frozen=True)

    store: MemoryStore
    changes: tuple[Change, ...]
    """Those that can be committed, as the reviewer will have them."""
    answers: dict[str, Change | None]
    """By id of each flag among them, what it was answered with; None: it was looked at."""
    expired: dict[str, str]
    """Those that no longer fit the store, and why."""
    pinned: dict[str, str]
    """Those that touch a pinned entry, and how it is unpinned."""
    before: dict[str, str]
    """Path → content of the whole store."""
    after: dict[str, str]
    problem: str = ""
    """Why the commit would be refused whole; "" when it would not."""

    @property
    def touched(self) -> list[str]:
        """The paths that the commit would change, sorted."""
        both = self.before.keys() | self.after.keys()
        return sorted(path for path in both if self.before.get(path) != self.after.get(path))


def preview(
    state: State,
    dream_id: str,
    only: Sequence[str],
    *,
    edits: Mapping[str, str] | None = None,
    resolve: Mapping[str, Answer] | None = None,
    scan: Scan | None = None,
) -> Plan:
    """What `approve` would do with the same words now. Nothing is decided or written.

    Raises:
        NotFoundError, UsageError: a name fits no held change, or it cannot be edited or answered so.
        StoreError: the store is archived.
    """
    report = state.dream(dream_id)
    own = own_changes(state, report, edits or {}, resolve or {})
    changes = chosen(report, only, statuses=OPEN)
    return planned(state, report.dream, changes, own=own, scan=scan or state.scan)


def planned(
    state: State, dream: Dream, changes: Sequence[Change], *, own: Mapping[str, Change], scan: Scan | None
) -> Plan:
    """The plan for these changes of a dream, with the reviewer's `own` in place of some.

    Raises:
        StoreError: the store is archived.
    """
    store = state.get_store(dream.output_store_id or dream.store_id)
    if store.archived_at is not None:
        msg = f"The store {store.name!r} is archived, which is final. Nothing was decided. Dream with output=create_new."
        raise StoreError(msg)
    files = state.files(store.store_id, store.version)
    undone = _undone(state, dream, changes)
    answers = {change.change_id: own.get(change.change_id) for change in undone if change.op == "flag"}
    free, pinned = _unpinned(state, store, files, [own.get(change.change_id, change) for change in undone])
    fit, expired = _still_fit(free, files)
    after = deed.apply_changes(files, fit)
    found = deed.violations(files, after, fit, scan=scan or (lambda _: "")) if fit else []
    problems = [one.reason for one in found] or _secrets(files, after, scan)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Plan(
        store=store,
        changes=tuple(fit),
        answers=answers,
        expired=expired,
        pinned=pinned,
        before=files,
        after=after,
        problem=f"{problems[0]}{more}" if problems else "",
    )


def _secrets(before: Mapping[str, str], after: Mapping[str, str], scan: Scan | None) -> list[str]:
    """Why the commit would refuse these files, asked as it asks: no change holds a secret, and together they may."""
    asked = [
        secret_brought(path, before.get(path, ""), text, scan)
        for path, text in sorted(after.items())
        if text != before.get(path)
    ]
    return [problem for problem in asked if problem]


def own_changes(
    state: State, report: DreamReport, edits: Mapping[str, str], resolve: Mapping[str, Answer]
) -> dict[str, Change]:
    """By id, the changes as the reviewer will have them: with a text of their own, or as the answer to a flag."""
    own: dict[str, Change] = {}
    answers: dict[str, Answer] = {**dict.fromkeys(edits, "edit"), **resolve}
    files: Mapping[str, str] | None = None
    for name, answer in answers.items():
        change = chosen(report, [name], statuses=OPEN)[0]
        if change.op != "flag" and name in edits and name not in resolve:
            check_editable(change, name)
            own[change.change_id] = change.model_copy(update={"after": edits[name]})
            continue
        if files is None:
            files = state.files(report.dream.output_store_id or report.dream.store_id)
        own[change.change_id] = resolved(
            change, answer, files, text=edits.get(name, ""), claim=claim_of(report, change)
        )
    return own


def claim_of(report: DreamReport, flag: Change) -> str:
    """What the sessions behind a flag say; "" where it rests on none."""
    claims = (one.claim for one in report.patterns if one.pattern_id in flag.pattern_id.split("\n"))
    return next(claims, "")


def _undone(state: State, dream: Dream, changes: Sequence[Change]) -> list[Change]:
    """The changes as they stand now, without those that somebody else committed or decided otherwise.

    Asked after the store was read: whoever commits after that moves the store, and then nothing is decided.
    """
    now = {change.change_id: change for change in state.changes(dream_id=dream.dream_id)}
    found = [now[change.change_id] for change in changes]
    return [change for change in found if change.status in {"proposed", *OPEN}]


def _unpinned(
    state: State, store: MemoryStore, files: Mapping[str, str], changes: Sequence[Change]
) -> tuple[list[Change], dict[str, str]]:
    """Split into what touches no pinned entry, and why the rest waits: once unpinned it can be approved."""
    pins = pinned_ids(state.pins(store.store_id), files)
    why = {
        change.change_id: f"{name} is pinned: `agentflows memory unpin {name} --store {store.name}` first"
        for change in changes
        if (name := touches_pinned(change, pins))
    }
    return [change for change in changes if change.change_id not in why], why


def _still_fit(changes: Sequence[Change], files: Mapping[str, str]) -> tuple[list[Change], dict[str, str]]:
    """Split into what can be applied to `files` as they are, and why the rest cannot."""
    entries = [entry for path, text in files.items() for entry in parse_entries(path, text)]
    standing = {entry.entry_id for entry in entries}
    said = [entry.text for entry in entries]
    fit: list[Change] = []
    refused: dict[str, str] = {}
    for change in changes:
        gone = [entry_id for entry_id in change.entry_ids if entry_id not in standing]
        if gone:
            refused[change.change_id] = f"the store moved: {', '.join(gone)} no longer stands as it was"
        elif change.op == "add" and says_again(change.after or "", said):
            refused[change.change_id] = "the store says it already"
        else:
            fit.append(change)
    return fit, refused
