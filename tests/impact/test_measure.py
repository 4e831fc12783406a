"""Sessions with known rates, before and after versions of a store: what is said of each version, and what is done about it."""

from datetime import timedelta

import pytest

from agentflows import impact
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import DreamError
from agentflows.home import Home
from agentflows.impact import Impact
from agentflows.pictures import picture
from tests.hostile import HOSTILE, forged
from tests.impact.sessions import ADA, archived, at, many, session, written

ONE = [(10.0, "# Notes\n\n- Ask before you delete.\n")]


def measured(home: Home) -> Impact:
    return impact.measure(home.state, home.archive, "team", now=at(60))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((12, 28), (32, 8), "better"),
        ((32, 8), (12, 28), "worse"),
        ((20, 20), (21, 19), "no_difference"),
        ((9, 0), (0, 9), "too_few"),
        ((0, 0), (20, 20), "too_few"),
    ],
)
def test_known_rates_get_the_verdict_they_deserve(
    home: Home, before: tuple[int, int], after: tuple[int, int], verdict: str
):
    """Nine of nine against none of nine may be luck with the day: it is said that it is too few."""
    written(home, ONE)
    archived(home, [*many("old", 2, *before), *many("new", 11, *after)])
    step = measured(home).steps[0]
    assert (step.verdict, step.version, step.restore_to) == (verdict, 1, 0)
    assert (step.before.sessions, step.after.sessions) == (sum(before), sum(after))
    assert ("too few to tell" in step.why) == (verdict == "too_few")


def test_another_mix_of_tasks_is_no_harm(home: Home):
    """Simpson: each task went better, and since the hard one came more often, all together look worse."""
    written(home, ONE)
    easy = [*many("easy-old", 2, 48, 12, task="easy"), *many("easy-new", 11, 19, 1, task="easy")]
    hard = [*many("hard-old", 2, 2, 18, task="hard"), *many("hard-new", 11, 24, 36, task="hard")]
    archived(home, [*easy, *hard])
    found = measured(home)
    step = found.steps[0]
    assert step.crude is not None
    assert step.difference is not None
    assert step.crude.value < 0 < step.difference.low
    assert (step.verdict, step.method, len(step.strata)) == ("better", "mantel_haenszel", 2)
    assert any("the mix of tasks changed" in line for line in impact.notes(found))


def test_tasks_of_one_side_only_are_left_out_and_counted(home: Home):
    """A new task says nothing about what the memory did."""
    written(home, ONE)
    archived(home, [*many("old", 2, 20, 0, task="a"), *many("new", 11, 0, 20, task="b")])
    step = measured(home).steps[0]
    assert (step.verdict, step.left_out, step.difference) == ("too_few", 40, None)
    assert "worked on both before and after" in step.why


def test_versions_with_no_session_between_them_are_one_step(home: Home):
    """Nothing can tell them apart, and the restore goes to before the first."""
    written(home, [(10, "- one\n"), (10.5, "- two\n"), (11, "- three\n"), (20, "- four\n")])
    archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
    found = measured(home)
    assert [(step.first_version, step.version, step.verdict) for step in found.steps] == [
        (1, 3, "no_difference"),
        (4, 4, "worse"),
    ]
    assert found.steps[0].restore_to == 0


def test_before_can_be_all_that_was_before(home: Home):
    """By default a version answers for itself; against all it answers for the whole way."""
    written(home, [(10, "- one\n"), (20, "- two\n")])
    archived(home, [*many("a", 2, 18, 2), *many("b", 12, 2, 18), *many("c", 21, 2, 18)])
    assert [step.before.sessions for step in measured(home).steps] == [20, 20]
    whole = impact.measure(home.state, home.archive, "team", against="all")
    assert [step.before.sessions for step in whole.steps] == [20, 40]
    assert [step.verdict for step in whole.steps] == ["worse", "worse"]


def test_what_does_not_count_is_counted(home: Home):
    """Without an end, without a day: each is left out by name, none silently."""
    written(home, ONE)
    odd = [
        session("open", 3, success=None),
        session("undated", 3, success=True, dated=False),
    ]
    archived(home, [*many("old", 2, 10, 10), *many("new", 11, 10, 10), *odd])
    found = measured(home)
    assert (found.sessions, found.unlabelled, found.undated, found.unmarked) == (40, 1, 1, 0)
    assert "1 without a start time" in " ".join(impact.notes(found))


def test_sessions_that_ended_before_they_read_the_memory_count_after_it_as_before_it(home: Home):
    """Half succeeded before and after: to leave out the early failures after it alone would make any memory look good."""
    written(home, ONE)
    broken = many("broken", 11, 0, 20)
    archived(home, [*many("old", 2, 10, 10), *many("new", 11, 20, 0, recalled=True), *broken])
    found = measured(home)
    step = found.steps[0]
    assert (step.verdict, step.after.successes, step.after.sessions) == ("no_difference", 20, 40)
    assert step.crude is not None
    assert step.crude.value == 0
    assert (found.unmarked, step.recalled, step.unmarked) == (20, 20, 20)
    assert "20 of 40 (50 %, 35–65), 20 recalled a memory" in impact.markdown(found)
    assert "20 of them ran after the first version and show no recalled memory" in impact.markdown(found)


def test_harm_is_seen_in_sessions_that_recalled_nothing(home: Home):
    """A memory may make sessions end before they show a word of it."""
    written(home, ONE)
    archived(
        home, [*many("old", 2, 18, 2), *many("new", 11, 9, 1, recalled=True), *many("broken", 11, 0, 20)]
    )
    assert measured(home).steps[0].verdict == "worse"


def test_sessions_of_others_do_not_count(home: Home):
    """Whose sessions a store's dreams read, the store is for; and options narrow it by hand."""
    written(home, ONE)
    other = [session(f"other-{n}", 11, success=False, project="/other", agent="b") for n in range(30)]
    archived(home, [*many("old", 2, 10, 10), *many("new", 11, 10, 10), *other])
    assert measured(home).sessions == 70
    dream_over(
        home,
        DreamRequest.model_validate({"store": "team", "engine": "rules", "sessions": {"project": "/shop"}}),
    )
    assert measured(home).sessions == 40
    assert "/shop" in measured(home).who
    assert impact.measure(home.state, home.archive, "team", project="/other").sessions == 30


def test_a_worse_version_is_told_until_a_restore_undoes_it(home: Home):
    """In the history, in the next dream, with the command; and then as undone, by which version."""
    written(home, [(10, "- one\n"), (20, "- two\n")])
    archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
    flags = impact.record(home.state, measured(home), actor=ADA)
    assert [(flag.worse.version, flag.worse.restore_to, flag.status) for flag in flags] == [(2, 1, "open")]
    assert impact.record(home.state, measured(home), actor=ADA) == flags
    assert "`agentflows memory restore 1 --store team`" in impact.flag_line(
        home.state.get_store("team"), flags[0]
    )
    home.state.restore("team", 1, actor=ADA)
    after = home.state.impact_flags("team")
    assert [(flag.status, flag.by_version) for flag in after] == [("restored", 3)]
    assert impact.record(home.state, measured(home), actor=ADA) == after
    assert "Undone by the restore in version 3" in impact.flag_line(home.state.get_store("team"), after[0])
    assert impact.flag_notes(home.state.get_store("team"), after) == []


def test_what_was_undone_is_not_to_be_undone_again(home: Home):
    """Its rates stay as bad as they were for ever; the command, followed once more, would take out what came since."""
    written(home, [(10, "- one\n"), (20, "- two\n"), (30, "- one\n"), (31, "- one\n- good\n")])
    archived(home, [*many("a", 12, 15, 5), *many("b", 21, 2, 18), *many("c", 32, 18, 2)])
    found = measured(home)
    worse = next(step for step in found.steps if step.verdict == "worse")
    assert (worse.version, worse.undone_by, found.to_undo) == (2, 3, ())
    assert "Undone by version 3." in impact.markdown(found)
    assert "memory restore" not in impact.markdown(found)
    assert impact.record(home.state, found, actor=ADA) == []


def test_what_a_restore_would_take_out_besides_is_said(home: Home):
    """Going back before a version goes back before all that came after it."""
    written(home, [(10, "- one\n"), (20, "- two\n"), (30, "- two\n- three\n"), (35, "- two\n- four\n")])
    archived(home, [*many("a", 12, 18, 2), *many("b", 21, 2, 18), *many("c", 31, 2, 18)])
    found = measured(home)
    assert "(versions 3 to 4 came after it and would go, too" in impact.markdown(found)
    (flag,) = impact.record(home.state, found, actor=ADA)
    assert "(versions 3 to 4 came after it and would go, too" in impact.flag_line(
        home.state.get_store("team"), flag
    )


def test_a_restore_to_the_worse_version_itself_undoes_nothing(home: Home):
    """Only going back before it does."""
    written(home, [(10, "- one\n"), (20, "- two\n"), (30, "- three\n")])
    archived(home, [*many("a", 12, 18, 2), *many("b", 21, 2, 18), *many("c", 31, 2, 18)])
    impact.record(home.state, measured(home), actor=ADA)
    home.state.restore("team", 2, actor=ADA)
    assert [flag.status for flag in home.state.impact_flags("team")] == ["open"]


def test_what_later_sessions_take_back_is_withdrawn(home: Home):
    """A flag is a finding, not a verdict for ever."""
    written(home, ONE)
    archived(home, [*many("old", 2, 15, 5), *many("new", 11, 2, 10)])
    assert [flag.status for flag in impact.record(home.state, measured(home), actor=ADA)] == ["open"]
    archived(home, many("later", 20, 100, 0))
    assert [flag.status for flag in impact.record(home.state, measured(home), actor=ADA)] == ["withdrawn"]


def test_the_next_dream_tells_what_made_things_worse(home: Home):
    """Whoever reviews a dream should know what the last one did."""
    written(home, ONE)
    with pytest.raises(DreamError):
        dream_over(home, DreamRequest(store="team", engine="rules"))
    archived(home, [*many("old", 2, 18, 2), *many("new", 11, 2, 18)])
    report = dream_over(home, DreamRequest(store="team", engine="rules"))
    told = [note for note in report.notes if "worse" in note]
    assert len(told) == 1
    assert "`agentflows memory restore 0 --store team`" in told[0]
    assert [flag.status for flag in home.state.impact_flags("team")] == ["open"]


def test_words_of_others_draw_nothing_on_the_page(home: Home):
    """A session log names its project itself, and the page is laid on Prefect's every week: no picture is fetched from elsewhere."""
    written(home, ONE)
    found = measured(home)
    (step,) = found.steps
    steps = (step.model_copy(update={"by": HOSTILE, "why": HOSTILE}),)
    page = impact.markdown(found.model_copy(update={"who": HOSTILE, "steps": steps}))
    assert forged(page) == []
    assert page.count("evil.example") == 6, "what is said is shown"


def test_the_page_shows_the_table_the_picture_and_the_command(home: Home):
    """Everything a person needs to decide stands on one page."""
    written(home, ONE)
    archived(home, [*many("old", 2, 18, 2), *many("new", 11, 2, 18)])
    found = measured(home)
    page = impact.markdown(found)
    assert "| 1 | 2026-03-11 00:00 | ada | 18 of 20 (90 %, 70–97) | 2 of 20 (10 %, 3–30) |" in page
    assert "── version 1" in page
    assert "Undo: `agentflows memory restore 0 --store team`" in page
    drawn = picture(impact.success_of(found))
    assert drawn.count("<circle") == len(found.buckets) > 5
    assert "v1 ▼ worse" in drawn
    assert "90 % of 20" in drawn
    assert "10 % of 20" in drawn
    assert "── version 1" not in impact.markdown(found, picture="![it](data:)"), "one picture is enough"
    assert "![it](data:)" in impact.markdown(found, picture="![it](data:)")


def test_time_is_cut_into_whole_days(home: Home):
    """However long it was, the picture stays small."""
    written(home, ONE)
    archived(home, [session(f"s{n}", 7.5 * n, success=True) for n in range(40)])
    found = measured(home)
    assert len(found.buckets) <= 24
    assert {bucket.end - bucket.start for bucket in found.buckets} == {timedelta(days=13)}
    assert sum(bucket.rate.sessions for bucket in found.buckets) == 40
