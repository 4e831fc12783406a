"""Decisions: who approved or rejected which change, on which base, until when."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal, cast

from sqlmodel import Session, col, select

from agentflows.change import Change, Decision
from agentflows.errors import ConflictError, UsageError
from agentflows.memory import Actor, parse_entries
from agentflows.store.chain import contents, head_rows
from agentflows.store.dreams import Dreams, find_change
from agentflows.store.opened import audit_row, find_store, new_id, plain
from agentflows.store.tables import ChangeRow, DecisionRow, DreamRow, StoreRow

Verdict = Literal["approved", "rejected"]
_WRITES_TEXT = {"add", "merge", "supersede", "narrow"}
VALID_FOR = timedelta(days=30)
"""How long an approval may be used."""


class Decisions(Dreams):
    """The part of `State` that records what reviewers decided."""

    def decide(  # noqa: PLR0913 - each is part of what is decided
        self,
        change_id: str,
        verdict: Verdict,
        *,
        reviewer: str,
        reason: str = "",
        edited_after: str | None = None,
        resolved: Change | None = None,
        expires_in: timedelta = VALID_FOR,
        base_version: int | None = None,
    ) -> Decision:
        """Approve or reject one held (or proposed) change.

        The decision binds the change's sha256 and the present version of the store it goes to, expires, and
        commits once. If the store moved since the dream, every entry the change is about must still stand as it
        stood; else the change becomes `expired`. `edited_after` is the reviewer's own text: the change then says
        that, under the same id and with a new sha256; `proposed_change` still has the dream's. `resolved` is a
        person's answer to a flag, under the flag's id: from then on the change is that answer.
        `base_version`, when given, must be the store's version.

        Deciding the same again returns the decision that is there, renewed when it ran out or the store moved.

        Raises:
            NotFoundError: there is no such change.
            UsageError: the change waits for no decision, the text cannot be edited, what is answered is no flag,
                or no reviewer is named.
            ConflictError: it was decided otherwise, or what it is about changed.
        """
        _check_words(reviewer, verdict, edited_after)
        _check_answer(change_id, verdict, resolved)
        self.expire_changes()
        moved = ""
        with self._db.write() as session:
            target = _target(session, find_change(session, change_id))
            row = find_change(session, change_id, lock=True)
            earlier = _current(session, change_id)
            if earlier is not None:
                same = _repeated(row, earlier, verdict, edited_after, resolved)
                if not self._renewable(earlier, target):
                    return same
            elif row.status not in {"held", "proposed"}:
                raise _not_waiting(row)
            change = _answered(row, resolved) if resolved else _edited(row, edited_after)
            if verdict == "approved":
                _check_base_version(target, base_version)
                moved = _moved(session, row, change, target)
            if moved:
                row.status, row.status_reason = "expired", moved
                session.add(row)
            else:
                made = self._decision(row, change, target, verdict, expires_in)
                made.reviewer, made.reason = plain("reviewer", reviewer), plain("reason", reason)
                own = resolved.after if resolved else edited_after
                made.edited_after = own if earlier is None else earlier.edited_after
                _record(session, row, change, made, earlier)
                actor = Actor(kind="user_actor", name=reviewer)
                session.add(audit_row(verdict, target, actor, made.decided_at, detail=change_id))
                return _word(made)
        msg = f"The change {change_id!r} cannot be approved: {moved}. It is expired now; dream again."
        raise ConflictError(msg)

    def decisions(self, dream_id: str | None = None) -> list[Decision]:
        """The decisions in force, oldest first; of one dream, or all. Renewed ones are left out."""
        statement = select(DecisionRow).where(DecisionRow.renewed_by == "")
        if dream_id is not None:
            statement = statement.where(DecisionRow.dream_id == dream_id)
        ordered = statement.order_by(col(DecisionRow.decided_at), col(DecisionRow.decision_id))
        with self._db.read() as session:
            return [_word(row) for row in session.exec(ordered).all()]

    def _renewable(self, decision: DecisionRow, target: StoreRow) -> bool:
        if decision.verdict != "approved" or decision.used_at is not None:
            return False
        here = (decision.store_id, decision.base_version) == (target.store_id, target.version)
        return decision.expires_at <= self._now() or not here

    def _decision(
        self, row: ChangeRow, change: Change, target: StoreRow, verdict: Verdict, expires_in: timedelta
    ) -> DecisionRow:
        now = self._now()
        return DecisionRow(
            decision_id=new_id("dec"),
            change_id=row.change_id,
            dream_id=row.dream_id,
            store_id=target.store_id,
            change_sha256=change.sha256,
            base_version=target.version,
            base_sha256=target.tree_sha256,
            verdict=verdict,
            reviewer="",
            reason="",
            decided_at=now,
            expires_at=now + expires_in,
        )


def _check_words(reviewer: str, verdict: Verdict, edited_after: str | None) -> None:
    if not reviewer.strip():
        msg = "A decision needs a reviewer: the login or name of who decides."
        raise UsageError(msg)
    if edited_after is None:
        return
    if verdict != "approved":
        msg = "A rejected change cannot be edited. Approve it with the new text, or reject it as it is."
        raise UsageError(msg)
    if not edited_after.strip():
        msg = "The edited text is empty. Reject the change instead, or give the text it shall have."
        raise UsageError(msg)


def _check_answer(change_id: str, verdict: Verdict, resolved: Change | None) -> None:
    if resolved is None:
        return
    if verdict != "approved":
        msg = "A flag that is answered is approved with the answer. Reject it without one, or approve it."
        raise UsageError(msg)
    if resolved.change_id != change_id:
        msg = f"The answer is one to {resolved.change_id!r}, not to {change_id!r}."
        raise UsageError(msg)


def _target(session: Session, row: ChangeRow) -> StoreRow:
    """The store the change goes to, locked."""
    dream = session.get(DreamRow, row.dream_id)
    return find_store(session, dream.target_id if dream else row.store_id, lock=True)


def _current(session: Session, change_id: str) -> DecisionRow | None:
    statement = select(DecisionRow).where(DecisionRow.change_id == change_id, DecisionRow.renewed_by == "")
    return session.exec(statement.with_for_update()).first()


def _repeated(
    row: ChangeRow, earlier: DecisionRow, verdict: Verdict, edited_after: str | None, resolved: Change | None
) -> Decision:
    text_differs = edited_after is not None and edited_after != Change.model_validate_json(row.body).after
    text_differs = text_differs or (resolved is not None and resolved.sha256 != row.sha256)
    if earlier.verdict == verdict and not text_differs and row.status != "expired":
        return _word(earlier)
    msg = (
        f"The change {row.change_id!r} is {row.status} already: {earlier.reviewer!r} {earlier.verdict} it at "
        f"{earlier.decided_at:%Y-%m-%d %H:%M} UTC ({earlier.reason or 'no reason given'}). A decision stands; "
        "dream again to have the change proposed anew, or restore the store to undo a commit."
    )
    raise ConflictError(msg)


def _not_waiting(row: ChangeRow) -> UsageError:
    return UsageError(
        f"The change {row.change_id!r} is {row.status} ({row.status_reason or 'no reason given'}), so there is nothing "
        "to decide. Only held changes wait for a decision."
    )


def _edited(row: ChangeRow, edited_after: str | None) -> Change:
    change = Change.model_validate_json(row.body)
    if edited_after is None or edited_after == change.after:
        return change
    if change.op not in _WRITES_TEXT:
        msg = f"The change {row.change_id!r} is a {change.op!r}, which writes no text of its own. Decide on it as it is."
        raise UsageError(msg)
    return change.model_copy(update={"after": edited_after})


def _answered(row: ChangeRow, resolved: Change) -> Change:
    """The answer in place of the flag, when it is one: about the entries the flag names and no others."""
    change = Change.model_validate_json(row.body)
    if resolved.sha256 == change.sha256:
        return change
    if change.op != "flag":
        msg = f"The change {row.change_id!r} is a {change.op!r}, not a flag, so there is nothing to answer."
        raise UsageError(msg)
    others = set(resolved.entry_ids) - set(change.entry_ids)
    if others or not resolved.entry_ids:
        msg = f"The answer to {row.change_id!r} is about {', '.join(sorted(others)) or 'nothing'}, which the flag does not name."
        raise UsageError(msg)
    return resolved


def _check_base_version(target: StoreRow, base_version: int | None) -> None:
    if base_version is not None and base_version != target.version:
        msg = (
            f"The store {target.name!r} is at version {target.version}, not {base_version}: someone committed "
            "meanwhile. Nothing was decided. Look at the change again."
        )
        raise ConflictError(msg)


def _moved(session: Session, row: ChangeRow, change: Change, target: StoreRow) -> str:
    """Why the change no longer fits the store as it is; "" when it does."""
    dream = session.get(DreamRow, row.dream_id)
    if dream is not None and dream.base_sha256 == target.tree_sha256:
        return ""
    standing = _entry_ids(session, target, {name.rpartition("#")[0] for name in change.entry_ids})
    gone = [name for name in change.entry_ids if name not in standing]
    return f"the store moved, and {', '.join(gone)} does not stand as it stood" if gone else ""


def _entry_ids(session: Session, store: StoreRow, paths: Iterable[str]) -> set[str]:
    head = head_rows(session, store)
    here = {path: head[path].content_sha256 for path in paths if path in head}
    texts = contents(session, here.values())
    return {entry.entry_id for path, sha in here.items() for entry in parse_entries(path, texts[sha])}


def _record(
    session: Session, row: ChangeRow, change: Change, made: DecisionRow, earlier: DecisionRow | None
) -> None:
    if earlier is not None:
        earlier.renewed_by = made.decision_id
        session.add(earlier)
    row.body, row.sha256 = change.model_dump_json(), change.sha256
    # An answered flag is undone, counted and remembered as what it became.
    row.op, row.path, row.memo_key = change.op, change.path, change.memo_key
    row.status, row.status_reason = made.verdict, made.reason
    session.add(row)
    session.add(made)


def _word(row: DecisionRow) -> Decision:
    return Decision(
        decision_id=row.decision_id,
        change_id=row.change_id,
        change_sha256=row.change_sha256,
        base_version=row.base_version,
        verdict=cast("Verdict", row.verdict),
        edited_after=row.edited_after,
        reviewer=row.reviewer,
        reason=row.reason,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
