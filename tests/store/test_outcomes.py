"""Outcomes are kept whole, step by step, and a person's word is bound to what it was said about."""

from datetime import datetime

import pytest

from agentflows.errors import NotFoundError, UsageError
from agentflows.evaluation import Attempt, Deliverable, Evaluation, HumanVerdict, Outcome
from agentflows.memory import Actor
from agentflows.store import State

ADA = Actor(kind="user_actor", name="ada")


def outcome(name: str = "outc_0123456789abcdef") -> Outcome:
    return Outcome(outcome_id=name, description="Write", rubric_sha256="r", agent="writer", workspace="w")


def attempt(iteration: int, text: str = "") -> Attempt:
    made = Deliverable(path="a.md", sha256=str(iteration), size_bytes=1)
    return Attempt(outcome_id="o", iteration=iteration, end="finished", text=text, deliverables=(made,))


def evaluation(iteration: int) -> Evaluation:
    return Evaluation(outcome_id="o", iteration=iteration, result="needs_revision", score=0.5)


def test_an_outcome_comes_back_as_it_was_saved(state: State):
    """With its attempts and evaluations in order, and any character in them."""
    begun = state.begin_outcome(outcome(), base_id="b", request="{}")
    grown = begun.model_copy(
        update={
            "result": "evaluating",
            "attempts": (attempt(0, "a\x00b"), attempt(1)),
            "evaluations": (evaluation(0),),
        }
    )
    state.save_outcome(grown)
    assert state.outcome("outc_0123456789abcdef") == grown
    assert state.outcomes(result="evaluating") == [grown]
    assert state.outcomes(base_id="b") == [grown]
    assert state.outcomes(base_id="other") == []


def test_beginning_again_changes_nothing(state: State):
    """A re-run finds what stands."""
    begun = state.begin_outcome(outcome(), base_id="b", request="1")
    state.save_outcome(begun.model_copy(update={"attempts": (attempt(0),)}))
    assert len(state.begin_outcome(outcome(), base_id="b", request="2").attempts) == 1
    assert state.outcome_request("outc_0123456789abcdef") == "1"


def test_what_an_outcome_no_longer_has_is_dropped(state: State):
    """A grading that broke off is replaced by the next."""
    begun = state.begin_outcome(outcome(), base_id="b", request="")
    broken = evaluation(0).model_copy(update={"result": "grader_error"})
    state.save_outcome(begun.model_copy(update={"attempts": (attempt(0),), "evaluations": (broken,)}))
    state.save_outcome(begun.model_copy(update={"attempts": (attempt(0),)}))
    assert state.outcome(begun.outcome_id).evaluations == ()


def test_the_beginning_of_an_id_is_enough_when_it_names_one(state: State):
    """Ids are long, and people type them."""
    state.begin_outcome(outcome("outc_aa11"), base_id="b", request="")
    state.begin_outcome(outcome("outc_aa22"), base_id="b", request="")
    assert state.outcome("outc_aa1").outcome_id == "outc_aa11"
    for wrong in ("outc_aa", "outc_zz", "", "outc_a%"):
        with pytest.raises(NotFoundError, match="one outcome"):
            state.outcome(wrong)


def test_a_word_is_kept_with_who_said_it_and_only_where_it_was_asked_for(state: State):
    """A verdict about files that nobody waits for decides nothing."""
    begun = state.begin_outcome(outcome(), base_id="b", request="")
    word = HumanVerdict(
        outcome_id=begun.outcome_id,
        iteration=0,
        criterion_id="tone",
        met="unmet",
        reason="too loud",
        reviewer="ada",
        decided_at=datetime.fromisoformat("2026-03-01"),
        manifest_sha256="m1",
    )
    with pytest.raises(UsageError, match="waits for nobody"):
        state.record_verdict(word, ADA)
    state.save_outcome(begun.model_copy(update={"result": "waiting"}))
    state.record_verdict(word, ADA)
    later = word.model_copy(update={"met": "met"})
    state.record_verdict(later, ADA)
    assert state.verdicts(begun.outcome_id, "m1") == [later]
    assert state.verdicts(begun.outcome_id, "m2") == []
    assert [(row.action, row.actor_name) for row in state.audit()] == [("judged", "ada")] * 2


def test_a_stop_is_asked_for_and_taken_back(state: State):
    """Whoever works on it looks between two steps."""
    begun = state.begin_outcome(outcome(), base_id="b", request="")
    assert state.stop_asked(begun.outcome_id) == ""
    state.ask_stop("outc_0123", "enough")
    assert state.stop_asked(begun.outcome_id) == "enough"
    state.ask_stop(begun.outcome_id, "")
    assert state.stop_asked(begun.outcome_id) == ""


def test_the_state_of_a_runner_is_kept_and_forgotten(state: State):
    """A killed run goes on from it; a finished one leaves nothing."""
    assert state.runner_state("j") == ""
    state.keep_runner_state("j", "a\x00")
    state.keep_runner_state("j", "b\x00")
    assert state.runner_state("j") == "b\x00"
    state.keep_runner_state("j", "")
    assert state.runner_state("j") == ""
