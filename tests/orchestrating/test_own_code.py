"""What runs outside the sandbox is the user's: no specialist and no lead can put code of its own in its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.agent import AgentDefinition
from agentflows.errors import PlanError, SettingsError, UsageError
from agentflows.home import Home
from agentflows.orchestrating import begin, make_request, orchestrate, resume
from agentflows.team import Orchestration, Plan, SubTask, make_team, read_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, calls, prompt, send, told, wait

Do = Callable[..., Orchestration]
SAYS_NO = "def passes(folder):\n    return False\n\ndef acts(*given):\n    return 'the users own'\n"


def says_yes(mark: Path) -> str:
    """The same, as one who wants to leave its walls writes it."""
    return f"open({str(mark)!r}, 'w').close()\n{SAYS_NO.replace('False', 'True').replace('users', 'agents')}"


def test_a_leads_rubric_names_no_function(do: Do, fake: FakeMessagesAPI, workspace: Path, tmp_path: Path):
    """Its words may come from a file that an agent read; a specialist wrote the function beside it a moment ago."""
    heard: list[tuple[str, bool]] = []

    def hears(request: FakeRequest) -> str:
        heard.extend(told(request))
        return "Done."

    mark = tmp_path / "escaped"
    plays.script(fake, prompt("a"), plays.write("mine.py", says_yes(mark)), "wrote")
    asked = send("a", "Again", rubric="- It is done.\n  check: python mine:passes")
    plays.script(fake, LEAD, send("a", "Write mine.py"), wait(), asked, hears)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        job = do(plays.team("a"))
    (refused,) = heard
    assert "outside the sandbox" in refused[0]
    assert refused[1]
    assert len(job.turns) == 2
    assert (workspace / "mine.py").is_file()
    assert not mark.exists()


def test_an_order_that_could_only_fail_is_refused_as_it_is_given(do: Do, fake: FakeMessagesAPI):
    """The lead learns of it at once, with what is possible instead; before, it came back as a turn that had failed."""
    heard: list[tuple[str, bool]] = []

    def hears(request: FakeRequest) -> str:
        heard.extend(told(request))
        return "Done."

    orders = [
        send("a", "  "),
        send("a", "x", rubric="It is good."),
        send("a", "x", rubric="/etc/passwd"),
        send("a", "x", outputs=["../x.md"]),
        send("a", "x", outputs=["reports/"]),
    ]
    plays.script(fake, LEAD, calls(*orders), hears)
    job = do(plays.team("a"))
    assert [turn.thread_id for turn in job.turns] == ["lead"]
    assert all(is_error for _, is_error in heard)
    words = ["The task is empty", "as a list item", "as a list item", "without `..`", "'reports/*'"]
    assert [word in text for word, (text, _) in zip(words, heard, strict=True)] == [True] * 5


def test_a_lead_may_name_a_rubric_of_its_team(
    judged: Home, fake: FakeMessagesAPI, workspace: Path, tmp_path: Path
):
    """A person wrote it, so it may name functions, which lie beside it."""
    folder = tmp_path / "team"
    (folder / "rubrics").mkdir(parents=True)
    (folder / "rubrics/done.md").write_text("- It is done.\n  check: python checks:passes\n")
    (folder / "rubrics/checks.py").write_text(SAYS_NO.replace("False", "True"))
    (folder / "lead.md").write_text(f"---\nname: boss\ntools: []\n---\n{LEAD}\n")
    (folder / "a.md").write_text(f"---\nname: a\ndescription: d\ntools: [write]\n---\n{prompt('a')}\n")
    plays.script(fake, prompt("a"), plays.write("x.md", "x"), "wrote")
    plays.script(fake, LEAD, send("a", "Write x.md", rubric="rubrics/done.md"), wait(), "Done.")
    job = orchestrate("Do it", team=read_team(folder)[0], workspace=workspace, home=judged)
    assert {turn.thread_id: turn.ending for turn in job.turns}["a-1"] == "succeeded"


def test_code_in_the_workspace_counts_as_it_was_before_any_turn(
    judged: Home, fake: FakeMessagesAPI, workspace: Path, tmp_path: Path
):
    """A specialist rewrites the functions of the team that lies in the folder all share; what it wrote never runs."""
    mark, folder = tmp_path / "escaped", workspace / "team"
    folder.mkdir()
    for place in (folder, workspace):
        (place / "checks.py").write_text(SAYS_NO)
    (folder / "c.md").write_text(
        "---\nname: c\ndescription: d\nrunner: python\nfunction: checks:acts\n---\nx\n"
    )
    read, (c,) = plays.member("a"), read_team(folder)[0].specialists
    evil = says_yes(mark)
    paths = ("checks.py", "team/checks.py")
    looks = calls(*(Reply.tool_use("read", {"path": path}) for path in paths))
    plays.script(fake, prompt("a"), looks, calls(*(plays.write(path, evil) for path in paths)), "mended")
    plays.script(fake, prompt("b"), plays.write("x.md", "x"), "wrote", "again")
    rubric = "- It is done.\n  check: python checks:passes\n"
    plan = Plan(
        subtasks=(
            SubTask(subtask_id="a", agent="a", task="mend"),
            SubTask(subtask_id="b", agent="b", task="x", needs=("a",), outputs=("x.md",), rubric=rubric),
            SubTask(subtask_id="c", agent="c", task="x", needs=("a",)),
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        job = orchestrate(
            plan=plan,
            team=make_team("t", None, [read, plays.member("b"), c]),
            workspace=workspace,
            home=judged,
        )
    ended = {turn.order.subtask_id: turn for turn in job.turns}
    assert (folder / "checks.py").read_text() == evil
    assert (ended["b"].ending, ended["c"].report, ended["c"].detail) == ("partial", "the users own", "")
    assert not mark.exists()
    assert not (judged.settings.home_path / "jobs" / job.job_id / "start").exists()


@pytest.mark.parametrize(
    ("rubric", "says"), [("rubrics/none.md", "found no file"), ("Be good.\n", "list item")]
)
def test_a_rubric_that_cannot_be_used_is_refused_before_anything_begins(
    do: Do, fake: FakeMessagesAPI, rubric: str, says: str
):
    """It was found by the turn that it grades, when all the others were paid."""
    tasks = (
        SubTask(subtask_id="a", agent="a", task="x"),
        SubTask(subtask_id="b", agent="a", task="x", needs=("a",), rubric=rubric, line=7),
    )
    with pytest.raises(PlanError, match=f"line 7: the rubric of b cannot be used.*{says}"):
        do(plays.team("a"), plan=Plan(subtasks=tasks))
    assert not fake.requests


def test_what_cannot_be_run_or_graded_here_is_refused_before_anything_begins(home: Home, workspace: Path):
    """A program that is not installed, or a judge without a key, ended a turn when others had been paid."""
    first = AgentDefinition(name="a", prompt="x", runner="command", command=("sh", "-c", "touch began"))
    other = first.model_copy(update={"name": "b", "command": ("no-such-program",)})
    for agent, rubric, error, says in (
        (other, "", UsageError, "'no-such-program', which is not in PATH"),
        (first.model_copy(update={"name": "b"}), "- It is good.\n", SettingsError, "none can be called"),
    ):
        tasks = (
            SubTask(subtask_id="a", agent="a", task="x"),
            SubTask(subtask_id="b", agent="b", task="x", needs=("a",), rubric=rubric),
        )
        with pytest.raises(error, match=says):
            orchestrate(
                plan=Plan(subtasks=tasks),
                team=make_team("t", None, [first, agent]),
                workspace=workspace,
                home=home,
            )
    assert not home.state.jobs()


def test_a_job_goes_on_from_another_folder(home: Home, workspace: Path, tmp_path: Path):
    """Team and plan are named from the folder one is in; gone on with elsewhere, every turn of the job failed, for good."""
    folder = tmp_path / "project" / "team"
    (folder / "rubrics").mkdir(parents=True)
    (folder / "checks.py").write_text(SAYS_NO.replace("False", "True"))
    (folder / "rubrics/done.md").write_text("- It is done.\n  check: regex answer.md `own`\n")
    (folder / "c.md").write_text("---\nname: c\nrunner: python\nfunction: checks:acts\n---\nx\n")
    (folder / "plan.yaml").write_text(
        "subtasks:\n"
        "  - {id: a, agent: c, task: x}\n"
        "  - {id: b, agent: c, task: x, outputs: ['@answer'], rubric: rubrics/done.md}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "project")
        request = make_request("", team="team", plan="team/plan.yaml", workspace=workspace)
        with begin(home, request) as run:
            pass
        patch.chdir(tmp_path)
        job = resume(run.job.job_id, home=home)
    assert {turn.order.subtask_id: turn.report for turn in job.turns} == dict.fromkeys("ab", "the users own")
