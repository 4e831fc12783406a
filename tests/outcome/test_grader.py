"""The grader: what it is shown, and what of its words code believes."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agentflows.errors import EndpointError, ModelOutputError
from agentflows.outcome import Grader, Grading
from agentflows.rubric import Criterion, Rubric
from tests.outcome.asked import Model, frozen, judged, reply

TEXT = (
    "# Report\n\nSales rose by 4 percent in May.\nCosts did not change.\n\nInvalid figures were left out.\n"
)
RUBRIC = Rubric(
    guidance="Read kindly.",
    criteria=(
        Criterion(
            criterion_id="sales",
            text="The report says how sales moved.",
            evidence="the sentence with the figure",
        ),
        Criterion(criterion_id="risks", text="Three risks are named."),
    ),
)
SALES = ("report.md", "Sales rose by 4 percent in May.")


def grade(tmp_path: Path, *replies: Mapping[str, Any] | Exception, **options: Any) -> tuple[Grading, Model]:
    """Grade the report; the replies in turn, the last one for ever."""
    turn = count()
    model = Model(lambda _: replies[min(next(turn), len(replies) - 1)])
    files = options.pop("files", {"report.md": TEXT})
    grader = Grader([model] * options.pop("panel", 1), **options)
    return grader.grade("Write a report", RUBRIC, RUBRIC.criteria, frozen(tmp_path, files)), model


def test_a_quote_is_looked_up_and_gets_its_line_from_code(tmp_path: Path):
    """What a model says about lines is not even asked."""
    found, _ = grade(
        tmp_path, reply(judged("sales", "met", SALES), judged("risks", "unmet", needed="Name three."))
    )
    sales, risks = found.results
    assert (sales.met, sales.evidence[0].start_line, sales.evidence[0].text) == ("met", 3, SALES[1])
    assert (risks.met, risks.needed, risks.refused) == ("unmet", "Name three.", 0)


@pytest.mark.parametrize(
    "quote",
    [
        ("report.md", "Sales rose by 5 percent in May."),
        ("report.md", "sales rose by 4 percent in may."),
        ("other.md", SALES[1]),
        ("../report.md", SALES[1]),
        ("report.md", ""),
        ("report.md", "the"),
        ("report.md", "valid figures were left out."),
        ("report.md", "Sales rose by 4 perc"),
        ("report.md", TEXT * 40),
    ],
    ids=[
        "number",
        "case",
        "no such file",
        "outside",
        "empty",
        "too short",
        "half a word",
        "cut word",
        "too long",
    ],
)
def test_a_met_without_a_standing_quote_is_cannot_tell(tmp_path: Path, quote: tuple[str, str]):
    """It names what evidence is missing, and counts what was refused."""
    found, _ = grade(tmp_path, reply(judged("sales", "met", quote), judged("risks", "unmet")))
    assert (found.results[0].met, found.results[0].refused, found.results[0].evidence) == (
        "cannot_tell",
        1,
        (),
    )
    assert "the sentence with the figure" in found.results[0].needed


def test_no_quote_at_all_is_cannot_tell_for_met_alone(tmp_path: Path):
    """What is missing from the files cannot be quoted from them."""
    found, _ = grade(tmp_path, reply(judged("sales", "met"), judged("risks", "unmet")))
    assert [one.met for one in found.results] == ["cannot_tell", "unmet"]
    invented, _ = grade(
        tmp_path,
        reply(
            judged("sales", "unmet", ("report.md", "Sales fell by half in May.")), judged("risks", "unmet")
        ),
    )
    assert invented.results[0].met == "cannot_tell"


def test_line_breaks_may_be_folded_and_nothing_else(tmp_path: Path):
    """Models join the lines of a paragraph."""
    joined = ("report.md", "Sales rose by 4 percent in May. Costs did not change.")
    found, _ = grade(tmp_path, reply(judged("sales", "met", joined), judged("risks", "unmet")))
    assert found.results[0].evidence[0].text == "Sales rose by 4 percent in May.\nCosts did not change."


def test_the_question_holds_task_rubric_and_files_and_little_else(tmp_path: Path):
    """Between lines with one word that the files cannot hold."""
    _, model = grade(tmp_path, reply(judged("sales", "unmet"), judged("risks", "unmet")))
    asked = model.asked[0]
    for part in (
        "Write a report",
        "Read kindly.",
        TEXT.strip(),
        "`risks`: Three risks",
        "Evidence wanted: the sentence",
    ):
        assert part in asked
    fence = asked.split("the line `")[1].split("`")[0]
    assert asked.count(f"\n{fence}\n") == 2
    assert fence not in TEXT


def test_one_call_for_each_criterion_shows_only_that_one(tmp_path: Path):
    """No criterion colours another; the files come first, where a cache finds them again."""
    turn = count()
    model = Model(lambda _: reply(judged(RUBRIC.criteria[next(turn)].criterion_id, "unmet")))
    files = frozen(tmp_path, {"report.md": TEXT})
    found = Grader([model], calls="each").grade("Task", RUBRIC, RUBRIC.criteria, files)
    assert [one.criterion_id for one in found.results] == ["sales", "risks"]
    assert ["`risks`" in asked for asked in model.asked] == [False, True]


@pytest.mark.parametrize(
    ("verdicts", "decided"),
    [
        (["met", "met", "unmet"], "met"),
        (["unmet", "met", "unmet"], "unmet"),
        (["met", "unmet", "cannot_tell"], "cannot_tell"),
    ],
)
def test_a_panel_goes_by_strict_majority(tmp_path: Path, verdicts: Sequence[str], decided: str):
    """All votes are kept; without a majority nobody can tell, and each side is heard."""
    replies = [reply(judged("sales", one, SALES), judged("risks", "unmet")) for one in verdicts]
    found, model = grade(tmp_path, *replies, panel=3)
    assert (found.results[0].met, list(found.results[0].votes)) == (decided, list(verdicts))
    assert len(set(model.asked)) == 3


def test_a_vote_without_a_quote_is_no_vote_for_met(tmp_path: Path):
    """Two graders that quote nothing do not outvote one that does its work."""
    replies = [
        reply(judged("sales", "met"), judged("risks", "unmet")),
        reply(judged("sales", "met"), judged("risks", "unmet")),
        reply(judged("sales", "met", SALES), judged("risks", "unmet")),
    ]
    assert grade(tmp_path, *replies, panel=3)[0].results[0].met == "cannot_tell"


@pytest.mark.parametrize(
    "wrong",
    [
        reply(judged("sales")),
        reply(judged("sales"), judged("risks"), judged("style")),
        reply(judged("sales"), judged("sales"), judged("risks")),
        ModelOutputError("off_schema"),
    ],
    ids=["missing", "unknown", "twice", "unreadable"],
)
def test_a_malformed_reply_is_asked_for_again_and_then_an_error(tmp_path: Path, wrong: Any):
    """Bounded, and never a verdict."""
    good = reply(judged("sales", "met", SALES), judged("risks", "unmet"))
    assert grade(tmp_path, wrong, wrong, good)[0].results[0].met == "met"
    with pytest.raises(ModelOutputError):
        grade(tmp_path, wrong)


def test_a_second_question_says_what_was_wrong_with_the_reply(tmp_path: Path):
    """Else the same answer would be remembered for it."""
    good = reply(judged("sales", "met", SALES), judged("risks", "unmet"))
    _, model = grade(tmp_path, reply(judged("sales")), good)
    assert "`risks` is missing" in model.asked[1]


def test_an_endpoint_that_is_down_is_not_asked_again_here(tmp_path: Path):
    """The client retries; one owner is enough."""
    with pytest.raises(EndpointError):
        grade(tmp_path, EndpointError("down"))


def test_a_rubric_that_does_not_apply_is_said_so_unless_something_is_met(tmp_path: Path):
    """Code does not take the word of a grader that contradicts itself."""
    found, _ = grade(tmp_path, reply(applies=False))
    assert (found.applies, found.why_not) == (False, "it is a photograph")
    torn, _ = grade(tmp_path, reply(judged("sales", "met", SALES), judged("risks", "unmet"), applies=False))
    assert torn.applies


def test_a_long_file_is_cut_in_the_middle_and_read_on_request(tmp_path: Path):
    """What is left out is said, and what is asked for is shown in a second round."""
    lines = [f"line {number} of the long report" for number in range(1, 3001)]
    lines[1499] = "The decisive figure is 42 percent."
    wanted = {"path": "long.md", "first_line": 1490, "last_line": 1510}
    good = reply(judged("sales", "met", ("long.md", lines[1499])), judged("risks", "unmet"))
    found, model = grade(
        tmp_path, reply(reads=[wanted]), good, files={"long.md": "\n".join(lines)}, max_tokens=2_000
    )
    assert "decisive" not in model.asked[0]
    assert "left out: ask for them with `reads`" in model.asked[0]
    assert "lines 1,490 to 1,510, as asked for" in model.asked[1]
    assert (found.results[0].met, found.results[0].evidence[0].start_line) == ("met", 1500)
    assert all(len(asked) < 2_000 * 3 + 12_000 for asked in model.asked)


def test_reading_comes_to_an_end(tmp_path: Path):
    """A grader that only ever reads is told to judge, and then is an error."""
    wanted = {"path": "report.md", "first_line": 1, "last_line": 2}
    with pytest.raises(ModelOutputError):
        grade(tmp_path, reply(reads=[wanted]))
    _, model = grade(
        tmp_path, *[reply(reads=[wanted])] * 2, reply(judged("sales", "unmet"), judged("risks", "unmet"))
    )
    assert "leave `reads` empty" in model.asked[2]


def test_what_is_not_text_is_named_and_not_shown(tmp_path: Path):
    """Honest about what nobody looked at."""
    files = {"report.md": TEXT, "chart.png": b"\x89PNG\x00\xff", "odd.txt": b"\xff\xfe"}
    _, model = grade(tmp_path, reply(judged("sales", "unmet"), judged("risks", "unmet")), files=files)
    assert "chart.png · 6 bytes · not text, so not shown" in model.asked[0]
    assert "odd.txt · 2 bytes · not text" in model.asked[0]


def test_many_files_stay_within_the_bound(tmp_path: Path):
    """Small ones whole, the rest named."""
    files = {f"f{number:03}.md": f"{number} " * (10 if number < 5 else 4_000) for number in range(450)}
    _, model = grade(
        tmp_path, reply(judged("sales", "unmet"), judged("risks", "unmet")), files=files, max_tokens=5_000
    )
    assert "50 more files are neither shown nor named" in model.asked[0]
    assert "f003.md · 20 bytes · 1 lines, all shown" in model.asked[0]
    assert len(model.asked[0]) < 5_000 * 3 + 400 * 130
