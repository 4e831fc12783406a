"""What agentflows exports, called in the ways that come naturally to somebody who never opens the source."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentflows import (
    DreamReport,
    draft_rubric,
    lint_rubric,
    load_flow,
    load_settings,
    open_home,
    read_plan,
    read_team,
    run_dream,
)
from agentflows.errors import NotFoundError, SettingsError, UsageError
from agentflows.pursuing import make_request
from agentflows.review.choosing import chosen
from agentflows.running import FirstAlone
from tests.conftest import EXAMPLES, ROOT
from tests.dreaming.test_dreaming import dream, fill

RELEASE = EXAMPLES / "teams" / "release"
OUTCOME = EXAMPLES / "outcome"


def test_paths_may_be_strings():
    """As everywhere in Python."""
    assert read_plan(str(RELEASE / "plan.yaml")).subtasks
    assert read_team(str(RELEASE))[0].name == "release"
    assert load_flow("ingest", str(ROOT)).name == "ingest"
    with pytest.raises(NotFoundError, match=r"no plan nowhere\.yaml"):
        read_plan("nowhere.yaml")


def test_threads_that_load_a_flow_at_once_all_get_it(tmp_path: Path):
    """The second used to get the module before it was run: `has no attribute`."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "slow.py").write_text("import time\ntime.sleep(0.2)\nslow = 'the flow'\n")
    with ThreadPoolExecutor(4) as pool:
        loading = [pool.submit(load_flow, "slow", tmp_path) for _ in range(4)]
        assert [one.result() for one in loading] == ["the flow"] * 4


def test_the_first_run_of_a_process_is_alone_and_its_failure_is_its_own():
    """So that one thread alone starts Prefect's temporary server; whoever came meanwhile runs after it."""
    alone, begun, may_end, order = FirstAlone(), threading.Event(), threading.Event(), list[str]()

    def first() -> str:
        begun.set()
        assert may_end.wait(60)
        order.append("first")
        msg = "no"
        raise UsageError(msg)

    def second() -> str:
        order.append("second")
        return "done"

    with ThreadPoolExecutor(2) as pool:
        failed = pool.submit(alone, first)
        assert begun.wait(60)
        then = pool.submit(alone, second)
        may_end.set()
        assert then.result(60) == "done"
        with pytest.raises(UsageError):
            failed.result(60)
    assert order == ["first", "second"]


@pytest.mark.parametrize("make", [load_settings, open_home])
def test_a_mistyped_setting_is_an_error_that_names_the_right_one(make: Callable[..., object]):
    """Ignored, a ceiling of calls that somebody set would hold nothing."""
    with pytest.raises(
        SettingsError, match=r"no setting 'deadline_secs'\. Did you mean 'deadline_seconds'\?"
    ):
        make(deadline_secs=3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"engin": "rules"}, r"no option 'engin'\. It has: budget, "),
        ({"engine": "gpt"}, "engine: Input should be"),
    ],
)
def test_what_no_dream_can_be_asked_is_refused_before_a_run_is_made(
    options: dict[str, str], told: str, tmp_path: Path
):
    """As an error of ours: whoever catches `AgentflowsError` catches this, too."""
    with pytest.raises(UsageError, match=told):
        run_dream("team", home=tmp_path, **options)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> DreamReport:
    """One dream over the example."""
    with open_home(tmp_path_factory.mktemp("example")) as home:
        return dream(fill(home))


def test_one_change_may_be_named_by_itself(proposed: DreamReport):
    """A string is a sequence of letters: `only="12"` would approve the first and the second change, which nobody meant."""
    assert chosen(proposed, "12") == [proposed.changes[11]] == chosen(proposed, 12)
    assert chosen(proposed, proposed.changes[2].change_id) == [proposed.changes[2]]
    assert chosen(proposed, [1, "2"]) == list(proposed.changes[:2])


def test_one_folder_or_file_may_be_named_by_itself(tmp_path: Path):
    """The first letter of an absolute path is the root of the file system, which was searched."""
    drafted = draft_rubric(
        "Write the notes.", good=str(EXAMPLES / "rubrics" / "good" / "changelog"), home=tmp_path
    )
    assert any(one.check and one.check.path == "CHANGELOG.md" for one in drafted.rubric.criteria)
    asked = make_request(
        "x",
        rubric=OUTCOME / "rubric.md",
        agent=OUTCOME / "writer.md",
        workspace=tmp_path,
        deliverables="NOTES.md",
    )
    assert asked.deliverables == ("NOTES.md",)


def test_a_rubric_may_be_given_as_its_markdown_everywhere():
    """`pursue` takes it so; what lints, proves and measures it took its first line for the name of a file."""
    assert {one.rule for one in lint_rubric("- The notes are good.\n")} >= {"too_few"}
    assert lint_rubric("- The notes are good.") == lint_rubric("- The notes are good.\n")
