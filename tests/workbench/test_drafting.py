"""Drafts: checks tell good examples from bad ones, questions come from the task, a model is not taken on trust."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.authoring import Bench, draft_rubric, prove_rubric, review_rubric
from agentflows.change import Budget
from agentflows.errors import RubricError, SettingsError, UsageError
from agentflows.home import Home, open_home
from agentflows.rubric import Rubric, parse_rubric
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from agentflows.workbench import draft, lint
from tests.conftest import EXAMPLES

TASK = "Write a changelog entry for the last commit. Name who is affected and say what they must do. Don't mention internal names. Why? It must be dated."
GOOD, BAD = EXAMPLES / "rubrics" / "good" / "changelog", EXAMPLES / "rubrics" / "bad" / "changelog"


def folder(parent: Path, name: str, **files: str) -> Path:
    place = parent / name
    place.mkdir()
    for path, text in files.items():
        (place / path.replace("__", ".")).write_text(text)
    return place


def statuses(rubric: Rubric, bench: Bench, place: Path) -> dict[str, str]:
    return {one.criterion_id: bench.decide(one.check, place) for one in rubric.criteria if one.check}


@pytest.mark.usefixtures("sandbox_here")
def test_drafted_checks_hold_on_the_good_example_and_fail_on_the_bad_one(home: Home):
    """A check that does not tell them apart would be noise with the look of proof."""
    made = draft_rubric(TASK, good=[GOOD], bad=[BAD], home=home.settings.home_path)
    bench = Bench(home)
    checks = statuses(made.rubric, bench, GOOD)
    assert len(checks) == 3
    assert set(checks.values()) == {"met"}
    assert set(statuses(made.rubric, bench, BAD).values()) == {"unmet"}
    assert made.notes == ("3 checks hold on all 1 good examples and fail on a bad one",)
    assert parse_rubric(made.rubric.text).criteria == made.rubric.criteria
    assert list(made.findings) == lint(made.rubric)


@pytest.mark.usefixtures("sandbox_here")
def test_questions_for_the_judge_come_from_the_sentences_of_the_task(home: Home):
    """Orders become what can be seen when they were followed, one thing each."""
    made = draft_rubric(TASK, good=[GOOD], bad=[BAD], home=home.settings.home_path)
    assert [one.text for one in made.rubric.criteria if one.judging == "judge"] == [
        "`CHANGELOG.md` has a changelog entry for the last commit.",
        "`CHANGELOG.md` names who is affected.",
        "`CHANGELOG.md` says what they must do.",
        "`CHANGELOG.md` does not mention internal names.",
        "`CHANGELOG.md` must be dated.",
    ]
    assert all(
        one.evidence.startswith("the words of CHANGELOG.md") for one in made.rubric.criteria if not one.check
    )


@pytest.mark.usefixtures("sandbox_here")
def test_files_keys_headings_and_sizes_that_differ_become_checks(home: Home, tmp_path: Path):
    """What all good examples share and a bad one lacks is what code can see."""
    same = {
        "r__json": '{"total": 1, "rows": [1]}',
        "a__md": "# A\n\n## Result\n\nFine.\n",
        "x__py": "x = 1\n",
        "extra__md": "e",
    }
    good = [
        folder(tmp_path, "g1", **same),
        folder(tmp_path, "g2", **{**same, "r__json": '{"total": 2, "rows": [], "note": ""}'}),
    ]
    bad = [
        folder(tmp_path, "b1", r__json='{"total": "1"}', a__md="# A\n\n" + "word " * 300, x__py="x = (\n", debug__log="x"),
        folder(tmp_path, "b2", **same),
    ]  # fmt: skip
    made = draft_rubric("Write the report.", good=good, bad=bad, home=home.settings.home_path)
    texts = {one.text for one in made.rubric.criteria if one.check}
    assert texts == {
        "`extra.md` is there.",
        "There is no `debug.log`.",
        "`a.md` has the heading “Result”.",
        "`a.md` has at most 10 words.",
        "`r.json` is JSON with the keys `total`, `rows`.",
        "`x.py` is Python that compiles.",
    }
    assert made.notes[1] == "no check fails on: b2; what is wrong there is for a judge"


def test_without_a_bad_example_it_says_what_was_not_shown(home: Home):
    """A check that never failed is a guess, and the draft must not hide it."""
    made = draft_rubric("", good=[EXAMPLES / "rubrics" / "good" / "staging"], home=home.settings.home_path)
    assert "that they can fail is not shown" in made.notes[0]
    assert set(statuses(made.rubric, Bench(home), EXAMPLES / "rubrics" / "good" / "staging").values()) == {
        "met"
    }


def test_neither_a_task_nor_an_example_is_refused(home: Home):
    """There is nothing to draft from."""
    with pytest.raises(UsageError, match="found neither"):
        draft_rubric(" ", home=home.settings.home_path)
    with pytest.raises(UsageError, match="Nothing could be drafted"):
        draft_rubric("Hello there!", home=home.settings.home_path)
    with pytest.raises(SettingsError, match="ANTHROPIC_API_KEY"):
        draft_rubric(TASK, model=True, home=home.settings.home_path)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from(["Write it.", "- Use **bold**: x (optional)", "# T", "`a`: Name the x and list the y.", "\x00", "***", "1. Do it; say so", "It must (check)."]), max_size=5).map("\n".join))  # fmt: skip
def test_whatever_the_task_says_the_draft_parses(task: str):
    """Tasks are pasted: with markup, lists, control characters."""
    try:
        made = draft(task, [], decide=lambda _check, _folder: "met")
    except UsageError:
        return
    assert parse_rubric(made.rubric.text).criteria == made.rubric.criteria


# -- with a model ---------------------------------------------------------------------------------------------


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def wired(fake: FakeMessagesAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose model is the fake."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
    with open_home(tmp_path / "wired") as doors:
        yield doors


@pytest.mark.usefixtures("sandbox_here")
def test_a_models_checks_are_tried_and_what_cannot_be_read_is_left_out(fake: FakeMessagesAPI, wired: Home):
    """A model that invents a check that fails the good example would send every writer round in circles."""
    reply: dict[str, Any] = {
        "title": "Changelog entry",
        "guidance": "Grade the newest entry.\n\n- not prose",
        "items": [
            "**finished**: Nothing is left to be written.\n  check: not regex CHANGELOG.md `TODO`",
            "**invented**: It has an appendix.\n  check: exists appendix.md",
            "**blind**: There is a changelog.\n  check: exists CHANGELOG.md",
            "**broken**: It parses.\n  check: regex CHANGELOG.md `(`",
            "**finished**: The entry names who is affected.\n  Evidence: the words that name them",
        ],
    }
    fake.queue(reply)
    made = draft_rubric(TASK, good=[GOOD], bad=[BAD], model=True, home=wired.settings.home_path)
    by_id = {one.criterion_id: one for one in made.rubric.criteria}
    assert by_id["finished"].judging == "check"
    assert by_id["invented"].judging == by_id["blind"].judging == by_id["finished-2"].judging == "judge"
    assert "broken" not in by_id
    assert any("'invented' does not hold on a good example" in note for note in made.notes)
    assert any("'blind' holds on every bad example" in note for note in made.notes)
    assert any("cannot be read" in note for note in made.notes)
    sent = str(fake.requests[0].body)
    assert "Depots see a parcel" in sent
    assert "Refactored" in sent
    assert fake.refused == []


def test_a_models_review_is_added_to_what_code_finds(fake: FakeMessagesAPI, wired: Home):
    """Meaning is for a model; what it says of criteria that do not exist is dropped."""
    rubric = parse_rubric(
        "- **a**: The entry names the people.\n- **b**: The entry is short.\n- **c**: The entry is dated.\n"
    )
    problem = {
        "criterion_id": "a",
        "words": "the people",
        "why": "“Users” would do.",
        "rewrite": "- The entry names the depots.",
    }
    fake.queue({"problems": [problem, {**problem, "criterion_id": "z"}, {**problem, "criterion_id": "b"}]})
    found = [one for one in review_rubric(rubric, home=wired.settings.home_path) if one.rule == "judged"]
    assert [(one.criterion_id, one.words, one.line) for one in found] == [
        ("a", "the people", 1),
        ("b", "", 2),
    ]
    assert found[0].rewrite == "- The entry names the depots."
    again = [one for one in review_rubric(rubric, home=wired.settings.home_path) if one.rule == "judged"]
    assert again == found
    assert len(fake.requests) == 1


def test_a_model_that_answers_nothing_usable_is_an_error(fake: FakeMessagesAPI, wired: Home):
    """No draft is better than an empty one that looks like one."""
    fake.queue({"title": "", "guidance": "", "items": ["- (optional)"]})
    with pytest.raises(RubricError, match="no criterion that can be read: left out"):
        draft_rubric(TASK, model=True, home=wired.settings.home_path)


def test_judged_criteria_are_proven_by_a_model_when_asked_for(
    fake: FakeMessagesAPI, wired: Home, tmp_path: Path
):
    """The real grader grades the good artifact and each mutation; a criterion it never fails is named."""
    good = folder(tmp_path, "good", a__md="# A\n\nThe port is 9443.\n")
    rubric = parse_rubric("- **port**: The page names the port.\n- **tone**: The page is in English.\n")

    def judged(request: FakeRequest) -> dict[str, Any]:
        has_port = "The port is 9443." in request.text
        quote = [{"path": "a.md", "text": "The port is 9443."}] if has_port else []
        verdict = "met" if has_port else "unmet"
        port = {"criterion": "port", "reason": "Seen.", "quotes": quote, "verdict": verdict, "needed": ""}
        tone = {**port, "criterion": "tone", "verdict": "met", "quotes": [{"path": "a.md", "text": "# A"}]}
        return {"reads": [], "applies_reason": "", "applies": True, "criteria": [port, tone]}

    fake.script(judged)
    proof = prove_rubric(rubric, good, judge=True, task="Name the port.", home=wired.settings.home_path)
    by_id = {one.criterion_id: one for one in proof.criteria}
    assert by_id["port"].status == "proven"
    assert by_id["port"].baseline == by_id["tone"].baseline == "met"
    assert 1 < len(fake.requests) <= len(proof.tried) + 1
    assert fake.refused == []


def test_a_budget_is_of_one_command(fake: FakeMessagesAPI, wired: Home):
    """What the drafts of earlier weeks cost would refuse every later one, for ever."""
    items = ["**dated**: The entry is dated.", "**names**: The entry names who is affected."]
    draft_of_60_percent = Reply.json({"title": "Entry", "guidance": "", "items": items}).counting(
        input_tokens=4_000, output_tokens=8_000
    )
    fake.script(lambda _: draft_of_60_percent)
    for task in ("Write a changelog entry.", "Write a letter to those who wait."):
        budget = Budget(tokens=20_000)
        assert draft_rubric(task, model=True, budget=budget, home=wired.settings.home_path).rubric.criteria
    assert len(fake.requests) == 2
