"""The page's team is what the example does now. `WRITE_DOCS=1 pytest tests/docs/test_team_output.py` puts it in."""

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from agentflows import open_home, orchestrate, read_team
from agentflows.cli.orchestrate_show import show_job
from agentflows.cli.output import console, program
from agentflows.team import Orchestration
from tests.conftest import EXAMPLES, ROOT
from tests.docs.shown import check_shown

PAGE = ROOT / "docs/teams.md"
RELEASE = EXAMPLES / "teams" / "release"


def timed_alike(job: Orchestration) -> Orchestration:
    """The job as if each turn had begun in the plan's order and taken half a second: times are the machine's."""
    assert job.plan
    order = {task.subtask_id: number for number, task in enumerate(job.plan.subtasks)}
    noon = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - as the record has it: UTC without saying so
    threads: list[object] = []
    for thread in job.threads:
        turns: list[object] = []
        for turn in thread.turns:
            began = noon + timedelta(seconds=order[turn.order.subtask_id])
            times = {"started_at": began, "ended_at": began + timedelta(seconds=0.5)}
            turns.append(turn.model_copy(update=times))
        threads.append(thread.model_copy(update={"turns": tuple(turns)}))
    return job.model_copy(update={"threads": tuple(threads)})


def printed(folder: Path) -> str:
    """The example's job as the terminal shows it, and the head of what it left."""
    workspace = folder / "harbor"
    shutil.copytree(EXAMPLES / "teams" / "harbor", workspace)
    with open_home(folder / "home") as home:
        job = orchestrate(team=RELEASE, plan=RELEASE / "plan.yaml", workspace=workspace, home=home)
    with console.capture() as captured:
        show_job(timed_alike(job), None)
    text = re.sub(r"job_[0-9a-f]{16}", "job_…", captured.get()).replace(str(workspace), "harbor")
    text = text.replace(program(), "agentflows")
    check = (workspace / "RELEASE_CHECK.md").read_text("utf-8")
    lines = "\n".join(line.rstrip() for line in f"{text}\n$ cat harbor/RELEASE_CHECK.md\n{check}".split("\n"))
    return lines.rstrip("\n") + "\n"


def test_the_page_shows_what_the_team_does(tmp_path: Path):
    """Seven sub-tasks, a revision and a follow-up, with no key and no model."""
    wanted = printed(tmp_path)
    check_shown(PAGE, "orchestrate", wanted)
    text = PAGE.read_text("utf-8")
    assert "succeeded: 6 threads" in wanted
    for option in (
        "--team examples/teams/release",
        "--plan examples/teams/release/plan.yaml",
        "--workspace harbor",
    ):
        assert option in text


def test_the_example_drafts_its_notes_again_and_mends_one_link(tmp_path: Path):
    """The rubric is not met at first, and the follow-up knows what its thread found."""
    workspace = tmp_path / "harbor"
    shutil.copytree(EXAMPLES / "teams" / "harbor", workspace)
    assert read_team(RELEASE)[1] == ()
    with open_home(tmp_path / "home") as home:
        job = orchestrate(team=RELEASE, plan=RELEASE / "plan.yaml", workspace=workspace, home=home)
        turns = {turn.order.subtask_id: turn for turn in job.turns}
        outcome = home.state.outcome(turns["notes"].outcome_id)
    assert [grading.result for grading in outcome.evaluations] == ["needs_revision", "satisfied"]
    assert turns["mend"].thread_id == turns["links"].thread_id
    assert {change.path for change in turns["mend"].changes} == {"docs/api.md", "reports/links.md"}
    assert "operations/staging.md#ports" in (workspace / "docs" / "api.md").read_text("utf-8")
    assert not any(change.conflict_with for turn in job.turns for change in turn.changes)
