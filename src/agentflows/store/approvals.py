"""Approvals at the moment they are used: inside the commit's transaction, each one once."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from agentflows.change import Change
from agentflows.errors import NotApprovedError
from agentflows.store.tables import ChangeRow, DecisionRow, StoreRow


def use_decisions(
    session: Session, store: StoreRow, decision_ids: Sequence[str], *, dream_id: str, at: datetime
) -> list[ChangeRow]:
    """Check every decision and mark it used; returns the changes they approve.

    Raises:
        NotApprovedError: one is unknown, a rejection, used, expired, of another dream or another base,
            or its change is not the one that was approved. The message says which and what to do.
    """
    changes: list[ChangeRow] = []
    for decision_id in dict.fromkeys(decision_ids):
        decision = _locked(session, decision_id)
        change = session.exec(
            select(ChangeRow).where(ChangeRow.change_id == decision.change_id).with_for_update()
        ).one()
        problem = (
            _decision_problem(decision, dream_id, at)
            or _change_problem(decision, change)
            or _base_problem(decision, store)
        )
        if problem:
            msg = f"The approval {decision_id!r} of {change.change_id!r} cannot be used: {problem}. Nothing was written."
            raise NotApprovedError(msg)
        decision.used_at = at
        session.add(decision)
        changes.append(change)
    return changes


def _locked(session: Session, decision_id: str) -> DecisionRow:
    statement = select(DecisionRow).where(col(DecisionRow.decision_id) == decision_id).with_for_update()
    decision = session.exec(statement).first()
    if decision is None:
        msg = f"There is no approval {decision_id!r}. Nothing was written. Approve the change first."
        raise NotApprovedError(msg)
    return decision


def _decision_problem(decision: DecisionRow, dream_id: str, at: datetime) -> str:
    if decision.verdict != "approved":
        return f"{decision.reviewer} rejected it"
    if decision.used_at is not None:
        return f"it was used at {decision.used_at:%Y-%m-%d %H:%M} UTC, and an approval commits once"
    if decision.renewed_by:
        return f"it was renewed; use {decision.renewed_by!r}"
    if decision.expires_at <= at:
        return f"it expired at {decision.expires_at:%Y-%m-%d %H:%M} UTC; approve the change again"
    if dream_id and decision.dream_id != dream_id:
        return f"it is of the dream {decision.dream_id!r}, not of {dream_id!r}"
    return ""


def _change_problem(decision: DecisionRow, change: ChangeRow) -> str:
    if Change.model_validate_json(change.body).sha256 != decision.change_sha256:
        return "the change is not the one that was approved; show it and decide again"
    if change.status != "approved":
        return f"the change is {change.status} ({change.status_reason or 'no reason given'})"
    return ""


def _base_problem(decision: DecisionRow, store: StoreRow) -> str:
    here = (decision.store_id, decision.base_version) == (store.store_id, store.version)
    copied = store.copied_from == decision.store_id and store.tree_sha256 == decision.base_sha256
    if here or copied:
        return ""
    return (
        f"it was given for version {decision.base_version} of {decision.store_id!r}, and this is version "
        f"{store.version} of {store.store_id!r}; approve the change again to have it checked against this one"
    )
