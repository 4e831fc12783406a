"""`agentflows orchestrate` and `threads` as a person meets them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentflows import open_home, orchestrate
from agentflows.cli import app
from agentflows.errors import AgentflowsError
from agentflows.orchestration import table
from agentflows.team import parse_plan
from tests.cli.test_commands import run
from tests.conftest import EXAMPLES

RELEASE = EXAMPLES / "teams" / "release"
AGENT = "---\nname: {name}\nrunner: python\nfunction: checks:todos\n---\nLook.\n"
PLAN = "subtasks:\n  - {id: a, agent: todos, task: Look}\n"


def call(*words: str | Path) -> None:
    """Run `agentflows …` in this process; errors come as they are."""
    app([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home that holds the example's job, and the job's id."""
    folder = tmp_path_factory.mktemp("teams")
    shutil.copytree(EXAMPLES / "teams" / "harbor", folder / "harbor")
    with open_home(folder / "home") as home:
        job = orchestrate(team=RELEASE, plan=RELEASE / "plan.yaml", workspace=folder / "harbor", home=home)
    return folder / "home", job.job_id


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A team, plans that cannot be carried out, and a workspace."""
    shutil.copytree(EXAMPLES / "teams", tmp_path, dirs_exist_ok=True)
    many = tmp_path / "many"
    many.mkdir()
    for number in range(21):
        (many / f"a{number}.md").write_text(AGENT.format(name=f"a{number}"))
    plans = {
        "good": PLAN,
        "stranger": PLAN.replace("todos", "nobody"),
        "cycle": "subtasks:\n  - {id: a, agent: todos, task: x, needs: [b]}\n  - {id: b, agent: todos, task: y, needs: [a]}\n",
        "broken": "subtasks: [\n",
        "empty": "title: Nothing\n",
    }
    for name, text in plans.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--plan", "good.yaml", "--workspace", "harbor"], "needs --team DIR and --workspace DIR"),
        (["--team", "release", "--plan", "good.yaml"], "needs --team DIR and --workspace DIR"),
        (["--resume", "job_x", "--plan", "good.yaml", "Do it"], "task and --plan would have no effect"),
        (["--team", "nowhere", "--plan", "good.yaml", "--workspace", "harbor"], "no team folder nowhere"),
        (["--team", "release", "--plan", "nowhere.yaml", "--workspace", "harbor"], "no plan nowhere.yaml"),
        (["--team", "release", "--plan", "good.yaml", "--workspace", "nowhere"], "is no folder"),
        (["Do it", "--team", "release", "--workspace", "harbor"], "has no lead, and no plan was given"),
        (["--team", "release", "--plan", "stranger.yaml", "--workspace", "harbor"], "line 2: a is for 'nobody'"),
        (["--team", "release", "--plan", "cycle.yaml", "--workspace", "harbor"], "wait for one another"),
        (["--team", "release", "--plan", "broken.yaml", "--workspace", "harbor"], "this is no YAML"),
        (["--team", "release", "--plan", "empty.yaml", "--workspace", "harbor"], "expected a mapping with `subtasks`"),
        (["--team", "many", "--plan", "good.yaml", "--workspace", "harbor"], "21 specialists, and max_specialists is 20"),
        (["@nowhere.txt", "--team", "release", "--workspace", "harbor"], "cannot be read from 'nowhere.txt'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_anything_begins(
    files: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
):
    """No server is started, no home made, no job left behind."""
    monkeypatch.chdir(files)
    with pytest.raises(AgentflowsError, match=re.escape(says)) as refused:
        call("orchestrate", *words, "--home", files / "home")
    assert refused.value.exit_code == 2
    assert not (files / "home").exists()


def test_wrong_use_is_one_line_and_an_exit_code(files: Path):
    """No trace, nothing on standard output."""
    words = ["--team", files / "release", "--plan", files / "cycle.yaml", "--workspace", files / "harbor"]
    answer = run("orchestrate", *words, "--home", files / "home")
    assert answer.returncode == 2
    assert "wait for one another" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Starting Prefect" not in answer.stderr
    assert answer.stdout == ""


def test_a_home_inside_the_workspace_is_refused(files: Path):
    """Every copy of the workspace would hold the copies made before."""
    words = ["--team", files / "release", "--plan", files / "good.yaml", "--workspace", files / "harbor"]
    with pytest.raises(AgentflowsError, match="lie in each other"):
        call("orchestrate", *words, "--home", files / "harbor" / "home")
    assert not (files / "harbor" / "home").exists()


def test_jobs_are_listed_and_one_is_shown_with_its_threads(
    done: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    """What a person asks for first: what ran, how it ended, what it left."""
    home, job = done
    call("threads", "--home", home)
    assert job in capsys.readouterr().out  # whole, however narrow: it is copied into the next command
    call("threads", job[:8], "--home", home)
    shown = capsys.readouterr().out
    assert "succeeded: 6 threads" in shown
    assert "reports/links.md" in shown
    assert "inventory-1" in shown


def test_one_thread_is_shown_with_what_it_was_told_did_and_left(
    done: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    """Both turns of the thread that was followed up, with the transcript out of the archive."""
    home, job = done
    call("threads", job, "show", "links-1", "--home", home)
    shown = capsys.readouterr().out
    assert "Turn 0: succeeded" in shown
    assert "told: Mend the links whose target only moved" in shown
    assert "modified docs/api.md" in shown
    assert "1 links lead nowhere, 1 were mended." in shown
    assert "left as promised: reports/links.md" in shown


def test_json_is_one_object_for_each_question(done: tuple[Path, str], capsys: pytest.CaptureFixture[str]):
    """For programs: standard output holds nothing else."""
    home, job = done

    def answer(*words: str) -> dict[str, Any]:
        call("threads", *words, "--json", "--home", home)
        return json.loads(capsys.readouterr().out)

    assert [one["job_id"] for one in answer()["jobs"]] == [job]
    assert {"job_id", "status", "threads", "messages", "workspace"} <= answer(job).keys()
    one = answer(job, "show", "links-1")
    assert {"thread", "messages", "transcripts"} == one.keys()
    assert list(one["transcripts"]) == ["0", "1"]
    assert answer(job, "stop") == {"job_id": job, "stop_asked": ""}, "it has ended"
    with open_home(home) as doors:
        doors.state.save_job(doors.state.job(job).model_copy(update={"status": "running"}))
    idle = {"job_id": job, "thread": "links-1", "stop_asked": ""}
    assert answer(job, "stop", "links-1") == idle, "it has nothing to do"
    assert answer(job, "stop") == {"job_id": job, "stop_asked": "stopped by hand"}
    with open_home(home) as doors:
        doors.state.save_job(doors.state.job(job).model_copy(update={"status": "succeeded"}))


def test_a_job_can_be_printed_as_a_plan_that_reads_back(
    done: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    """To edit it and run it again."""
    home, job = done
    call("threads", job, "plan", "--home", home)
    plan = parse_plan(capsys.readouterr().out)
    assert [task.subtask_id for task in plan.subtasks][-2:] == ["mend", "report"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["job_nowhere"], "there is none"),
        (["job_nowhere", "stop"], "there is none"),
        (["JOB", "show", "nobody-1"], "has no thread 'nobody-1'. It has: links-1"),
    ],
)
def test_a_job_or_thread_that_is_not_there_is_named(done: tuple[Path, str], words: list[str], says: str):
    """With what there is instead."""
    home, job = done
    with pytest.raises(AgentflowsError, match=says) as refused:
        call("threads", *[job if word == "JOB" else word for word in words], "--home", home)
    assert refused.value.exit_code == 2


def test_a_file_name_draws_nothing_in_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """An agent names its files as it likes: a title set, a screen cleared or a line rewritten would be its words, not ours."""
    team = tmp_path / "team"
    team.mkdir()
    (team / "evil.py").write_text(
        "def leave(task, feedback, workspace, memory):\n"
        "    open(f'{workspace}/a\\x1b]0;owned\\x07\\u202e.txt', 'w').close()\n    return 'done'\n"
    )
    (team / "a.md").write_text("---\nname: a\nrunner: python\nfunction: evil:leave\n---\nLeave.\n")
    (tmp_path / "plan.yaml").write_text(
        'subtasks:\n  - {id: a, agent: a, task: Leave, outputs: ["gone\\e[2J", "*.txt"]}\n'
    )
    (tmp_path / "work").mkdir()
    with open_home(tmp_path / "home") as home:
        job = orchestrate(team=team, plan=tmp_path / "plan.yaml", workspace=tmp_path / "work", home=home)
    for words in ([], ["show", "a-1"]):
        call("threads", job.job_id, *words, "--home", tmp_path / "home")
        shown = capsys.readouterr().out
        assert "⟦U+001B⟧" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    (row,) = table(job)
    assert "\x1b" not in "".join(row.values())
    assert "⟦U+202E⟧" in row["outputs"]
