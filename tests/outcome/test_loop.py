"""The loop: what it counts, when it stops, what it tells the writer, and which version it leaves behind."""

from itertools import count

import pytest

from agentflows.errors import EndpointError
from agentflows.evaluation import Evaluation, RunEnd
from agentflows.outcome import Waiting, pursue_loop
from agentflows.rubric import Criterion, Rubric
from tests.outcome.scripted import NO_MONEY, RUBRIC, World, graded, left, outcome

ALWAYS_NEW = [left(str(number)) for number in range(30)]


def different(number: int, marks: str = "mu") -> list[Evaluation]:
    """So many gradings, each with gaps of its own."""
    return [graded(marks, reason=f"gap number {one}") for one in range(number)]


def test_a_draft_that_is_good_is_graded_once():
    """Nothing is revised that need not be."""
    world = World(ALWAYS_NEW, [graded("mm")])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.result, found.revisions, len(found.evaluations), found.best_iteration) == (
        "satisfied",
        0,
        1,
        0,
    )
    assert world.restored == []
    assert found.completed_at is not None


@pytest.mark.parametrize("most", [0, 1, 2, 3, 20])
def test_max_iterations_counts_revisions_and_all_of_them_are_graded(most: int):
    """N revisions are N + 1 attempts and N + 1 evaluations, numbered from 0; nothing is returned ungraded."""
    world = World(ALWAYS_NEW, different(30))
    found = pursue_loop(outcome(most), RUBRIC, world)
    assert found.result == "max_iterations_reached"
    assert (found.revisions, len(found.evaluations)) == (most, most + 1)
    assert [one.iteration for one in found.evaluations] == list(range(most + 1)) == world.graded


def test_the_last_revision_can_still_satisfy():
    """The boundary: revision N is graded like all others."""
    world = World(ALWAYS_NEW, [*different(3), graded("mm")])
    found = pursue_loop(outcome(3), RUBRIC, world)
    assert (found.result, found.revisions) == ("satisfied", 3)


def test_the_writer_is_told_what_is_missing_and_what_must_stay():
    """Feedback names each gap with its reason; the draft is written without any."""
    world = World(ALWAYS_NEW, [graded("mu", reason="no rain in it"), graded("mm")])
    pursue_loop(outcome(), RUBRIC, world)
    assert world.told[0] == ""
    assert "B holds." in world.told[1]
    assert "no rain in it" in world.told[1]
    assert "What is met and must stay so\n- A holds." in world.told[1]


def test_a_regression_is_named():
    """What was met before and is not any more is said to whoever broke it."""
    world = World(ALWAYS_NEW, [graded("mu"), graded("um"), graded("mm")])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert [one.regressions for one in found.evaluations] == [(), ("a",), ()]
    assert "your last change broke it" in world.told[2]


def test_the_best_version_comes_back_when_none_satisfies():
    """Most required criteria, then the score, then the latest."""
    world = World(ALWAYS_NEW, [graded("uu"), graded("mu"), graded("um"), graded("u?")])
    found = pursue_loop(outcome(3), RUBRIC, world)
    assert (found.best_iteration, world.restored) == (2, [2])


def test_a_required_criterion_outweighs_any_score():
    """A high score of what is only wanted does not make a version the better one."""
    rubric = Rubric(
        criteria=(
            Criterion(criterion_id="a", text="A"),
            Criterion(criterion_id="b", text="B", required=False, weight=9),
        )
    )
    world = World(ALWAYS_NEW, [graded("mu", rubric=rubric), graded("um", rubric=rubric)])
    assert pursue_loop(outcome(1), rubric, world).best_iteration == 0


def test_what_is_only_wanted_counts_by_its_weight():
    """A threshold below 1 is reached without it."""
    criteria = (
        Criterion(criterion_id="a", text="A", weight=3),
        Criterion(criterion_id="b", text="B", required=False),
    )
    for threshold, ended in ((0.75, "satisfied"), (0.8, "max_iterations_reached")):
        rubric = Rubric(criteria=criteria, threshold=threshold)
        world = World(ALWAYS_NEW, [graded("mu", rubric=rubric)])
        assert pursue_loop(outcome(0), rubric, world).result == ended


def test_a_revision_that_changes_nothing_stops_ungraded():
    """The same files were graded before: asking again could only cost."""
    world = World([left("x"), left("x")], different(5))
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.result, found.stop_reason, len(found.evaluations)) == ("stopped", "no_change", 1)
    assert world.restored == [0]


def test_going_back_to_an_earlier_version_is_no_change_either():
    """A writer that swings between two versions would swing for ever."""
    world = World([left("x"), left("y"), left("x")], different(5))
    found = pursue_loop(outcome(20), RUBRIC, world)
    assert (found.stop_reason, len(found.attempts)) == ("no_change", 3)
    assert "the very files of the draft" in found.explanation


def test_the_same_gaps_three_times_in_a_row_stop():
    """Wording apart from case, spacing and durations is what makes them the same."""
    reasons = ["2 tests fail in 0.31s", "2  tests FAIL in 12 ms", "2 tests fail in 4.0 seconds"]
    world = World(ALWAYS_NEW, [graded("mu", reason=reason) for reason in reasons])
    found = pursue_loop(outcome(20), RUBRIC, world)
    assert (found.result, found.stop_reason, len(found.evaluations)) == ("stopped", "repeated_gaps", 3)


def test_gaps_that_shrink_are_not_the_same():
    """Progress within a criterion is progress."""
    world = World(ALWAYS_NEW, [*(graded("mu", reason=f"{n} tests fail") for n in (9, 5, 2)), graded("mm")])
    assert pursue_loop(outcome(20), RUBRIC, world).result == "satisfied"


@pytest.mark.parametrize(("works", "grades"), [([NO_MONEY], []), ([left("x")], [NO_MONEY])])
def test_an_empty_purse_stops_and_says_so(works: list[object], grades: list[object]):
    """Whether the writer or the grader cannot be paid."""
    found = pursue_loop(outcome(), RUBRIC, World(works, grades))  # pyright: ignore[reportArgumentType]
    assert (found.result, found.stop_reason) == ("stopped", "budget")
    assert "does not allow" in found.explanation


def test_the_best_graded_version_comes_back_when_the_money_ends():
    """The ungraded revision is not what is handed over."""
    world = World(ALWAYS_NEW, [graded("mu"), NO_MONEY])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.stop_reason, found.best_iteration, world.restored) == ("budget", 0, [0])


def test_a_grader_error_is_an_end_of_its_own_and_no_score():
    """Never `needs_revision`, never `failed`; a version graded before still counts as the best."""
    broken = Evaluation(outcome_id="o", iteration=0, result="grader_error", score=0, error="no reply")
    world = World(ALWAYS_NEW, [graded("mu"), broken])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.result, found.best_iteration, found.explanation) == ("grader_error", 0, "no reply")
    assert len(pursue_loop(outcome(), RUBRIC, World(ALWAYS_NEW, [broken])).evaluations) == 1


def test_failed_is_final():
    """A rubric that does not apply is mended by no revision."""
    grading = graded("uu").model_copy(update={"result": "failed", "explanation": "It is a photograph."})
    found = pursue_loop(outcome(), RUBRIC, World(ALWAYS_NEW, [grading]))
    assert (found.result, found.revisions) == ("failed", 0)
    assert "photograph" in found.explanation


@pytest.mark.parametrize("after", range(5))
def test_an_interruption_is_heard_between_any_two_steps(after: int):
    """Before the first attempt, before the first evaluation, and everywhere after."""
    asked = count()
    world = World(ALWAYS_NEW, different(9), lambda: "enough" if next(asked) == after else "")
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.result, found.explanation) == ("interrupted", "enough")
    assert len(found.attempts) + len(found.evaluations) == after
    assert world.restored == ([found.best_iteration] if found.evaluations else [])


def test_a_writer_that_was_interrupted_ends_the_outcome():
    """What it left half-done is not graded."""
    world = World([left("x", end="interrupted", detail="asked to stop")], [])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.result, found.explanation, found.attempts) == ("interrupted", "asked to stop", ())


@pytest.mark.parametrize("end", ["failed", "refused"])
def test_a_writer_that_failed_and_left_nothing_stops(end: RunEnd):
    """There is nothing to grade, and nothing to revise."""
    found = pursue_loop(outcome(), RUBRIC, World([left("", end=end, detail="it raised")], []))
    assert (found.result, found.stop_reason) == ("stopped", "writer_error")
    assert "it raised" in found.explanation


@pytest.mark.parametrize("end", ["failed", "refused", "truncated", "cap_reached"])
def test_what_a_writer_left_is_graded_however_it_ended(end: RunEnd):
    """The rubric says when it is done; the attempt says how it ended."""
    found = pursue_loop(outcome(), RUBRIC, World([left("x", end=end)], [graded("mm")]))
    assert (found.result, found.attempts[0].end) == ("satisfied", end)


def test_a_failing_revision_that_changed_nothing_is_the_writers_error():
    """Not `no_change`: it could not even try."""
    world = World([left("x"), left("x", end="failed", detail="no memory")], different(3))
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.stop_reason, len(found.evaluations)) == ("writer_error", 1)


def test_leaving_nothing_may_be_mended_once():
    """The first time it is told; the second time there is an end."""
    world = World([left(""), left("")], [graded("uu"), graded("uu")])
    found = pursue_loop(outcome(), RUBRIC, world)
    assert (found.stop_reason, len(found.attempts), len(found.evaluations)) == ("no_deliverables", 2, 1)
    mended = pursue_loop(outcome(), RUBRIC, World([left(""), left("x")], [graded("uu"), graded("mm")]))
    assert mended.result == "satisfied"


def test_other_errors_leave_the_outcome_where_it_was_kept():
    """An endpoint that is down ends nothing: the next call goes on."""
    world = World([left("x")], [EndpointError("down"), graded("mm")])
    with pytest.raises(EndpointError):
        pursue_loop(outcome(), RUBRIC, world)
    assert (world.kept[-1].result, len(world.kept[-1].attempts)) == ("evaluating", 1)
    assert pursue_loop(world.kept[-1], RUBRIC, world).result == "satisfied"
    assert world.graded == [0, 0]


def test_it_waits_for_a_person_and_goes_on_from_there():
    """The same attempt is graded again, with the person's word."""
    wait = Waiting(iteration=0, criteria=("b",), manifest_sha256="m", explanation="B?")
    world = World(ALWAYS_NEW, [wait, wait, graded("mm")])
    waiting = pursue_loop(outcome(), RUBRIC, world)
    assert (waiting.result, waiting.completed_at) == ("waiting", None)
    still = pursue_loop(waiting, RUBRIC, world)
    assert still.result == "waiting"
    found = pursue_loop(still, RUBRIC, world)
    assert (found.result, len(found.attempts), world.graded) == ("satisfied", 1, [0, 0, 0])


def test_any_kept_state_is_enough_to_go_on_from():
    """Whoever takes up what another process kept does no step twice, and comes to the same end."""
    grades = [*different(2), graded("mm")]
    whole = World(ALWAYS_NEW, grades)
    wanted = pursue_loop(outcome(), RUBRIC, whole)
    for kept in whole.kept:
        rest = World(ALWAYS_NEW[len(kept.attempts) :], grades[len(kept.evaluations) :])
        found = pursue_loop(kept, RUBRIC, rest)
        assert found.model_copy(update={"completed_at": None}) == wanted.model_copy(
            update={"completed_at": None}
        )
        assert rest.graded == whole.graded[len(kept.evaluations) :]
