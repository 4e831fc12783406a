"""A flag is answered inside the review, and the answer is a commit like any other: bound, checked, undone by a restore."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import lineage, review
from agentflows.change import Change, DreamReport
from agentflows.dream.resolving import Answer, resolved
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import ConflictError, UsageError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES

FIRST = "- Deploys to the warehouse cluster wait 30 seconds for the carrier gateway."
SECOND = "- Deploys to the warehouse cluster wait 45 seconds for the carrier gateway."
OTHER = "- Deploys to the staging cluster wait 45 seconds for the carrier gateway."


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """The example sessions, and a store whose two entries cannot both be true."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "notes.md").write_text(f"# Notes\n\n{FIRST}\n{SECOND}\n{OTHER}\n", "utf-8")
    with open_home(tmp_path / "home") as doors:
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        doors.state.create_store("team", actor=doors.actor("tester"))
        doors.state.import_folder("team", tmp_path / "memory", actor=doors.actor("tester"))
        yield doors


def dream(home: Home, **options: Any) -> DreamReport:
    return dream_over(home, DreamRequest.model_validate({"store": "team", "engine": "rules"} | options))


def flag_of(report: DreamReport) -> Change:
    """The flag on the two entries, and no other: the third is about another cluster."""
    flags = [change for change in report.changes if change.op == "flag"]
    assert len(flags) == 1
    assert flags[0].before == f"{FIRST}\n\n{SECOND}"
    return flags[0]


def notes(home: Home) -> str:
    return home.state.files("team")["/notes.md"]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("keep-first", [FIRST, OTHER]),
        ("keep-second", [SECOND, OTHER]),
        ("keep-both", [FIRST, SECOND, OTHER]),
        ("drop", [OTHER]),
    ],
)
def test_each_answer_leaves_what_it_says(home: Home, answer: Answer, left: list[str]):
    """And nothing else in the file moves."""
    report = dream(home)
    flag = flag_of(report)
    done = review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: answer},
    )
    assert done.committed == (flag.change_id,)
    assert notes(home) == "# Notes\n\n" + "\n".join(left) + "\n"
    assert (done.store_version is None) == (answer == "keep-both")


def test_a_text_of_ones_own_takes_the_place_of_both(home: Home):
    """`edit` is for when neither is right."""
    report = dream(home)
    flag = flag_of(report)
    own = "Deploys to the warehouse cluster wait 60 seconds for the carrier gateway."
    review.approve(
        home.state, report.dream.dream_id, reviewer="ada", only=[flag.change_id], edits={flag.change_id: own}
    )
    assert notes(home) == f"# Notes\n\n- {own}\n{OTHER}\n"
    entry = lineage.find_entry(home.state.files("team"), own)
    records = lineage.Records(home.state, home.state.get_store("team"))
    told = lineage.explain(records, home.archive, [entry])[0]
    assert [(link.change_id, link.decided_by, link.was_edited) for link in told.links] == [
        (flag.change_id, "ada", True)
    ]


def test_an_answered_flag_does_not_come_back_and_a_restored_one_does(home: Home):
    """Answered, the question is settled; with the entry brought back it is open again, and only the answer is unwanted."""
    report = dream(home)
    flag = flag_of(report)
    review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: "keep-first"},
    )
    assert not [change for change in dream(home).changes if change.op == "flag"]
    home.state.restore("team", 1, actor=home.actor("ada"))
    assert [change.before for change in dream(home).changes if change.op == "flag"] == [flag.before]


def test_the_dreams_own_words_stay_on_record(home: Home):
    """What was asked and what was answered are two things."""
    report = dream(home)
    flag = flag_of(report)
    review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: "keep-second"},
    )
    assert home.state.proposed_change(flag.change_id).op == "flag"
    now = next(
        change
        for change in home.state.dream(report.dream.dream_id).changes
        if change.change_id == flag.change_id
    )
    assert (now.op, now.before, now.status) == ("retire", FIRST, "committed")
    assert "A person answered: keep-second." in now.reason


def test_another_answer_after_the_commit_is_refused(home: Home):
    """A decision stands; restore is the way back."""
    report = dream(home)
    flag = flag_of(report)
    home.state.decide(flag.change_id, "approved", reviewer="ada", resolved=answered(home, flag, "keep-first"))
    with pytest.raises(ConflictError, match="is approved already"):
        home.state.decide(
            flag.change_id, "approved", reviewer="bob", resolved=answered(home, flag, "keep-second")
        )
    done = review.approve(home.state, report.dream.dream_id, reviewer="ada", only=[flag.change_id])
    assert done.committed == (flag.change_id,)
    assert SECOND not in notes(home)


def test_a_pinned_entry_is_not_dropped_by_an_answer(home: Home):
    """A pin is a person's word, too: it is taken off first."""
    home.state.pin(
        "team", lineage.find_entry(home.state.files("team"), "wait 30 seconds"), actor=home.actor("a")
    )
    report = dream(home)
    flag = flag_of(report)
    done = review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: "keep-second"},
    )
    assert "is pinned" in done.refused[flag.change_id]
    assert FIRST in notes(home)


@pytest.mark.parametrize(("answer", "why"), [("edit", "needs the text"), ("keep-first", "not a flag")])
def test_an_answer_that_fits_nothing_says_what_would(home: Home, answer: Answer, why: str):
    """And nothing is decided."""
    report = dream(home)
    change = (
        flag_of(report)
        if answer == "edit"
        else next(change for change in report.changes if change.op == "add")
    )
    with pytest.raises(UsageError, match=why):
        review.approve(home.state, report.dream.dream_id, reviewer="ada", resolve={change.change_id: answer})
    assert not home.state.decisions()


def test_an_answer_is_about_the_entries_the_flag_names(home: Home):
    """The store checks it, whoever made it."""
    flag = flag_of(dream(home))
    other = lineage.find_entry(home.state.files("team"), "staging cluster")
    forged = flag.model_copy(update={"op": "retire", "entry_ids": (other.entry_id,), "before": other.text})
    with pytest.raises(UsageError, match="does not name"):
        home.state.decide(flag.change_id, "approved", reviewer="ada", resolved=forged)
    assert not home.state.decisions()


def answered(home: Home, flag: Change, answer: Answer) -> Change:
    return resolved(flag, answer, home.state.files("team"))
