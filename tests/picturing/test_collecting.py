"""What pictures of a home are drawn from: counted over all there is, with nothing double and nothing lost."""

import json
from collections.abc import Mapping
from datetime import timedelta

from agentflows.change import Budget
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.memory import MemoryEdit
from agentflows.memory import sha256 as text_sha256
from agentflows.pictures import Spent
from agentflows.picturing import (
    dream_markdown,
    picture_cost,
    picture_coverage,
    picture_growth,
    picture_pattern,
    picture_recurring,
    picture_success,
)
from agentflows.team import Orchestration
from tests.archive.builders import START as WHEN
from tests.archive.builders import Event, source
from tests.archive.builders import session as told
from tests.impact.sessions import ADA, START, archived, at, many, written

TWICE: Event = ("call", "Bash", {"command": "make test"}, "No rule to make target", True)


def test_growth_counts_entries_and_not_headings(home: Home):
    """An entry that is edited is one that goes and one that comes; a file that goes takes its entries along."""
    written(home, [(1, "# Notes\n\n- one\n- two\n"), (2, "# Notes\n\n- one\n- three\n- four\n")])
    edits = [
        MemoryEdit(
            path="/notes.md", content=None, expected_sha256=text_sha256("# Notes\n\n- one\n- three\n- four\n")
        ),
        MemoryEdit(path="/other.md", content="- one\n", expected_sha256=None),
    ]
    home.state.commit("team", edits, base_version=None, actor=ADA, message="third")
    found = picture_growth(home, "team").versions
    assert [(one.version, one.entries, one.added, one.removed) for one in found] == [
        (1, 2, 2, 0),
        (2, 3, 2, 1),
        (3, 1, 0, 2),
    ]
    assert found[2].bytes == len("- one\n")
    assert (found[0].at, found[0].by) == (at(1), "ada")


def test_success_is_told_by_the_time_each_version_stood(home: Home):
    """Before, under the first, under the second; with the verdict of the comparison within tasks."""
    written(home, [(10, "- one\n"), (20, "- two\n")])
    archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
    found = picture_success(home, "team")
    assert [(era.label, era.rate.successes, era.rate.sessions, era.verdict) for era in found.eras] == [
        ("before", 15, 20, ""),
        ("v1", 15, 20, ""),
        ("v2", 2, 20, "worse"),
    ]
    assert sum(point.rate.sessions for point in found.points) == 60
    assert 0 < found.eras[2].rate.low < 0.1 < found.eras[2].rate.high < 0.35


def test_a_dream_shows_what_it_read_and_what_it_cost(home: Home):
    """Spending comes from the ledger of budgets, which also knows dreams that never came to their report."""
    home.archive.add(
        source(told(f"s{number}", TWICE, started_at=WHEN + timedelta(days=number))) for number in range(4)
    )
    report = dream_over(home, DreamRequest(store="team", engine="rules"))
    purse = home.purse(report.dream.dream_id, DreamRequest(store="team").budget)
    purse.settle(purse.reserve(10, 0.5, "test"), 10, 0.25)
    covered = picture_coverage(home, "team").dreams
    assert [(one.read, one.known, one.unread, one.failed, one.archived) for one in covered] == [
        (4, 0, 0, 0, 4)
    ]
    assert picture_cost(home, "team").spent == picture_cost(home).spent
    assert picture_cost(home, report.dream.store_id).title == "What dreams over team cost"
    assert picture_cost(home, "team").spent == (
        Spent(at=report.dream.created_at, label=report.dream.dream_id, dollars=0.25, calls=1),
    )
    page = dream_markdown(home, report.dream)
    assert page.count("](data:image/svg+xml;base64,") == 3


def test_outcomes_and_jobs_are_counted_beside_dreams_and_none_twice(home: Home):
    """A job's turn that has a rubric is an outcome paid from the job's budget: its dollars are the job's already."""
    home.state.create_store("team", actor=ADA)
    begin_outcome(home, "outc_alone", {})
    begin_outcome(home, "outc_turn", {"job:job_1": {}})
    job = Orchestration(job_id="job_1", title="Release", task="", team="release", workspace="/w", mode="plan")
    home.state.begin_job(job, base_id="job_1", request="{}")
    spend(home, {"outcome:outc_alone": Budget(), "outcome:outc_alone/writer": Budget()}, 0.5)
    spend(home, {"job:job_1": Budget(), "outcome:outc_turn": Budget()}, 0.25)
    found = picture_cost(home, "team")
    assert found.title == "What dreams over team, outcomes and jobs of teams cost"
    assert [(one.kind, one.label, one.dollars, one.calls) for one in found.spent] == [
        ("outcome", "outc_alone", 0.5, 1),
        ("job", "job_1", 0.25, 1),
    ]


def begin_outcome(home: Home, name: str, within: Mapping[str, object]) -> None:
    """An outcome as `agentflows.pursuing` begins it: paid from its own budget, or within another's."""
    outcome = Outcome(outcome_id=name, description="", rubric_sha256="", agent="writer", workspace="/w")
    home.state.begin_outcome(outcome, base_id=name, request=json.dumps({"within": within}))


def spend(home: Home, levels: Mapping[str, Budget], dollars: float) -> None:
    """One call of a model."""
    purse = home.state.purse(levels)
    purse.settle(purse.reserve(10, dollars, "test"), 10, dollars)


def test_what_recurs_needs_two_sessions_and_has_the_versions_as_marks(home: Home):
    """What one session shows is not a pattern."""
    written(home, [(1, "- one\n"), (2, "- two\n")])
    once: Event = ("call", "Bash", {"command": "cargo test"}, "linker not found", True)
    home.archive.add(
        source(told(f"s{number}", TWICE, started_at=START + timedelta(days=number))) for number in range(3)
    )
    home.archive.add([source(told("alone", once, started_at=START))])
    found = picture_recurring(home, store="team")
    rows = [(row.group, row.label, row.sessions, row.is_rest) for row in found.rows]
    assert rows == [("Errors", "make test: No rule to make target", 3, False), ("Errors", "1 other", 1, True)]
    assert [(mark.label, mark.at) for mark in found.marks] == [("v1", at(1)), ("v2", at(2))]
    one = picture_pattern(home, "error_signatures", top=1)
    assert [(row.label, row.is_rest) for row in one.rows] == [
        ("make test: No rule to make target", False),
        ("1 other", True),
    ]
    assert one.marks == ()
