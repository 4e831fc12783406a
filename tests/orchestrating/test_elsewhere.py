"""Turns carried out on machines that share no folder with whoever leads: files travel by their hash."""

import shutil
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from agentflows.errors import AgentflowsError, SettingsError, UsageError
from agentflows.orchestrating import JobRun, begin, carry_out_turn, make_request, transcript
from agentflows.orchestrating.borrowed import borrow
from agentflows.team import Orchestration, Plan, SubTask, ThreadTurn, make_team, read_plan
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES
from tests.orchestrating import plays
from tests.orchestrating.machines import Machines
from tests.orchestrating.plays import LEAD, prompt, send, wait
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["s3", "s3_server"]
RUBRIC = "- **there**: There is a report.\n  check: exists a.md\n- **long**: It is long.\n  check: regex a.md `x{3}`\n"


@pytest.fixture
def machines(tmp_path: Path, fake: FakeMessagesAPI) -> Machines:
    """Over a folder that is nobody's home."""
    return over(f"file://{tmp_path}/staging", tmp_path, fake)


def over(staging: str, folder: Path, fake: FakeMessagesAPI) -> Machines:
    return Machines(folder, staging, {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key})


def task(name: str, agent: str = "a", **fields: Any) -> SubTask:
    return SubTask.model_validate({"subtask_id": name, "agent": agent, "task": f"Do {name}", **fields})


def ends(job: Orchestration) -> dict[str, str]:
    return {turn.order.subtask_id: turn.ending or turn.status for turn in job.turns}


@contextmanager
def gone(*folders: Path) -> Generator[None]:
    """As on a machine that does not have them."""
    for folder in folders:
        folder.rename(folder.with_name(f"{folder.name}-away"))
    try:
        yield
    finally:
        for folder in folders:
            folder.with_name(f"{folder.name}-away").rename(folder)


def test_the_example_is_done_by_machines_that_have_neither_its_team_nor_its_workspace(
    machines: Machines, tmp_path: Path
):
    """Functions, a command, a sub-task graded by a rubric file, a follow-up: all they need travels."""
    shutil.copytree(EXAMPLES / "teams", tmp_path / "teams")
    release, workspace = tmp_path / "teams" / "release", tmp_path / "teams" / "harbor"
    plan = read_plan(release / "plan.yaml")
    order = [one.subtask_id for one in plan.subtasks]
    tasks = [  # one after the other, as what is gone is gone for all
        one.model_copy(update={"needs": (*one.needs, *order[max(0, number - 1) : number])})
        for number, one in enumerate(plan.subtasks)
    ]
    names: list[str] = []

    def work(_: JobRun, turn: ThreadTurn) -> None:
        names.append(f"machine-{len(names) % 2}")
        with gone(tmp_path / "teams", tmp_path / "home-leader"), machines.home(names[-1]) as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)

    given = plan.model_copy(update={"subtasks": tuple(tasks)})
    job = machines.lead(release, given, workspace, work=work)
    assert ends(job) == dict.fromkeys(order, "succeeded")
    assert len(names) == 7
    assert "Not ready: links lead nowhere" in (workspace / "RELEASE_CHECK.md").read_text()
    assert "check again" not in (workspace / "docs" / "api.md").read_text()
    with machines.home("leader") as home:
        sessions = {turn.session_id for turn in job.turns}
        assert {one.session_id for one in home.archive.sessions(sorted(sessions))} == sessions


def test_over_an_object_store_nothing_is_brought_twice_and_nothing_is_left(
    s3: S3Server, tmp_path: Path, fake: FakeMessagesAPI, workspace: Path
):
    """A workspace of many files is brought once to each machine; a turn later only what is new."""
    for number in range(20):
        (workspace / f"{number}.txt").write_text(f"content {number}")
    bucket = s3.new_bucket()
    machines = over(f"{bucket}/staging", tmp_path, fake)
    fake.when(prompt("a"), writes)
    brought: list[int] = []

    def work(_: JobRun, turn: ThreadTurn) -> None:
        s3.requests.clear()
        with machines.home("far") as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)
        brought.append(s3.requests["GET"])

    tasks = (task("one"), task("two", needs=("one",)), task("three", needs=("two",)))
    job = machines.lead(plays.team("a"), Plan(subtasks=tasks), workspace, work=work)
    assert ends(job) == dict.fromkeys(("one", "two", "three"), "succeeded")
    assert brought[0] > 20
    assert max(brought[1:]) <= 4  # the list of the version, what the turn before left, and a listing
    assert {name: (workspace / f"{name}.md").read_text() for name in ("one", "two", "three")} == {
        name: f"by {name}" for name in ("one", "two", "three")
    }
    store: Any = url_to_fs(bucket, skip_instance_cache=True)[0]
    assert store.find(f"{bucket}/staging/{job.job_id}") == []


def writes(request: FakeRequest) -> Reply | str:
    """A file named by the task, then a report."""
    name = request.body["messages"][0]["content"][0]["text"].split()[-1]
    if plays.replies(request) % 2:
        return f"wrote {name}"
    return plays.write(f"{name}.md", f"by {name}")


def test_two_machines_that_change_one_file_lose_no_update(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """Both began from the same version; the second to come home is kept aside and said to be in conflict."""
    both = threading.Barrier(2, timeout=60)

    def changes(request: FakeRequest) -> Reply | str:
        if plays.replies(request) == 0:
            return Reply.tool_use("read", {"path": "mine.txt"})
        if plays.replies(request) == 1:
            both.wait()
            return plays.write("mine.txt", request.body["messages"][0]["content"][0]["text"])
        return "changed it"

    fake.when(prompt("a"), changes)
    job = machines.lead(plays.team("a"), Plan(subtasks=(task("one"), task("two"))), workspace)
    kept = [change for turn in job.turns for change in turn.changes if change.is_kept_aside]
    assert [change.path for change in kept] == ["mine.txt"]
    (aside,) = (workspace / ".agentflows-conflicts").rglob("mine.txt")
    assert {aside.read_text(), (workspace / "mine.txt").read_text()} == {"Do one", "Do two"}


def test_a_live_lead_has_specialists_on_other_machines(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """It works where the workspace is; a follow-up keeps its context though another machine carries it out."""
    fake.when(prompt("a"), lambda asked: f"heard {asked.text.count('PLUMS')}")
    plays.script(fake, LEAD, send("a", "Count the PLUMS"), wait(), send("a-1", "And again"), wait(), "Done.")
    job = machines.lead(plays.team("a"), None, workspace, task="Go")
    assert (job.status, job.result) == ("succeeded", "Done.")
    assert [turn.report for turn in job.turns if turn.thread_id == "a-1"] == ["heard 1", "heard 1"]
    with machines.home("leader") as home:
        said = [event.text for turn in job.turns for event in transcript(home, turn)]
    assert "heard 1" in said


def test_graded_work_goes_on_on_another_machine_and_pays_nothing_twice(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """Stopped between its draft and its revision: the other machine has its files, its context and its grading."""
    stopping: list[JobRun] = []

    def revises(request: FakeRequest) -> Reply | str:
        number = plays.replies(request)
        if number == 2 and stopping:
            run = stopping.pop()
            run.home.state.stop_job(run.job.job_id, "enough")
        slow = plays.write("a.md", "xxx").after(1.5)  # longer than between two looks whether to stop
        return [plays.write("a.md", "x"), "drafted", slow, "revised"][number]

    fake.when(prompt("a"), revises)
    names = iter(["one", "two"])

    def work(run: JobRun, turn: ThreadTurn) -> None:
        name = next(names)
        if name == "one":
            stopping.append(run)
        with machines.home(name) as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)

    plan = Plan(subtasks=(task("one", rubric=RUBRIC, outputs=("a.md",)),))
    stopped = machines.lead(plays.team("a"), plan, workspace, work=work)
    assert (stopped.status, ends(stopped)) == ("stopped", {"one": "running"})
    assert not (workspace / "a.md").exists()
    shutil.rmtree(machines.folder / "home-one")
    again = machines.lead(plays.team("a"), plan, workspace, work=work)
    assert (again.job_id, again.status, ends(again)) == (stopped.job_id, "succeeded", {"one": "succeeded"})
    assert (workspace / "a.md").read_text() == "xxx"
    asked = [repr(request.body) for request in fake.requests]
    assert len(asked) == len(set(asked)) == 4


def test_what_a_worker_keeps_of_a_job_is_gone_when_the_job_is_over(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """Its disk does not fill with jobs that others led; one that was stopped is kept for going on."""
    fake.when(prompt("a"), writes)
    plan = Plan(subtasks=(task("one"),))
    first = machines.lead(plays.team("a"), plan, workspace, workers=1)
    jobs = machines.folder / "home-0" / "jobs"
    assert [folder.name for folder in jobs.iterdir()] == [first.job_id]
    second = machines.lead(plays.team("a"), plan, workspace, workers=1, key="again")
    assert [folder.name for folder in jobs.iterdir()] == [second.job_id]
    assert not list((machines.folder / "staging").rglob("*/*"))


def test_workers_that_begin_at_once_all_begin(machines: Machines, fake: FakeMessagesAPI, workspace: Path):
    """Several on one machine find the same job to clear away; that none of them gets in another's way is not luck."""
    fake.when(prompt("a"), writes)
    over = machines.lead(plays.team("a"), Plan(subtasks=(task("one"),)), workspace, workers=1).job_id
    with machines.home("0") as home, ThreadPoolExecutor(4) as pool:
        jobs = home.settings.home_path / "jobs"
        for number in range(4):
            for inside in range(100):
                (jobs / over / f"kit/{inside}").mkdir(parents=True, exist_ok=True)
            (jobs / over / "borrowed").touch()
            (jobs / ".gone-killed").mkdir()
            together, new = threading.Barrier(4), f"job_new{number}"

            def begin_one(_: int, together: threading.Barrier = together, new: str = new) -> None:
                together.wait(60)
                borrow(home, new)

            list(pool.map(begin_one, range(4)))
            assert {folder.name for folder in jobs.iterdir()} <= {f"job_new{n}" for n in range(number + 1)}


def overwrite(path: Path) -> None:
    path.chmod(0o600)
    path.write_text("other")


def spoilt(machines: Machines, workspace: Path, spoil: Callable[[Path], None]) -> Orchestration:
    """A job whose staged contents somebody spoils before a worker gets them."""

    def work(_: JobRun, turn: ThreadTurn) -> None:
        for content in (machines.folder / "staging").rglob("*"):
            if content.is_file():
                spoil(content)
        with machines.home("far") as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)

    return machines.lead(plays.team("a"), Plan(subtasks=(task("one"),)), workspace, work=work)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (Path.unlink, "is missing in"),
        (overwrite, "is damaged: its sha256 is another"),
    ],
    ids=["missing", "damaged"],
)
def test_contents_that_are_missing_or_damaged_end_the_turn_with_that_word(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path, spoil: Callable[[Path], None], says: str
):
    """No agent works with them, and no model is asked."""
    (turn,) = spoilt(machines, workspace, spoil).turns
    assert turn.ending == "failed"
    assert says in turn.detail
    assert fake.requests == []


def refusal(machines: Machines, workspace: Path, changed: dict[str, str], **options: Any) -> AgentflowsError:
    machines.settings |= changed
    with machines.home("leader") as home:
        request = make_request(
            "", team=plays.team("a"), plan=Plan(subtasks=(task("one"),)), workspace=workspace,
            dispatch="deployment", **options,
        )  # fmt: skip
        with pytest.raises(AgentflowsError) as refused:
            begin(home, request)
        assert home.state.jobs() == []
    return refused.value


@pytest.mark.parametrize(
    ("changed", "options", "kind", "says"),
    [
        ({"archive_url": ""}, {}, SettingsError, "AGENTFLOWS_ARCHIVE_URL is not set"),
        ({"staging_url": "memory://x"}, {}, SettingsError, "which no other machine can see"),
        ({"staging_url": "nothing://x"}, {}, SettingsError, "Install the fsspec driver"),
        ({}, {"files": "shared"}, UsageError, "need a folder that all workers see"),
    ],
)
def test_what_workers_could_not_do_is_refused_before_it_begins(
    machines: Machines,
    workspace: Path,
    changed: dict[str, str],
    options: dict[str, Any],
    kind: type,
    says: str,
):
    """Each with the setting to change; no job is left behind."""
    error = refusal(machines, workspace, changed, **options)
    assert isinstance(error, kind)
    assert says in str(error)


def test_a_worker_that_is_set_up_otherwise_is_told_so(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """It would look for the files in a place where they are not."""
    fake.when(prompt("a"), writes)
    said: list[str] = []

    def work(_: JobRun, turn: ThreadTurn) -> None:
        other = Machines(machines.folder, "", {})
        with other.home("far") as home, pytest.raises(SettingsError) as refused:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)
        said.append(str(refused.value))
        with machines.home("near") as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)

    job = machines.lead(plays.team("a"), Plan(subtasks=(task("one"),)), workspace, work=work)
    assert job.status == "succeeded"
    assert "travel through file://" in said[0]
    assert "AGENTFLOWS_STAGING_URL is '' here" in said[0]


def test_a_turn_whose_files_nobody_offered_is_refused(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """A folder of the same name on the worker's machine is another folder."""

    def work(run: JobRun, turn: ThreadTurn) -> None:
        run.home.state.keep_runner_state(f"{turn.job_id}/{turn.thread_id}/{turn.number}/base", "")
        with machines.home("far") as home:
            carry_out_turn(home, turn.job_id, turn.thread_id, turn.number)

    job = machines.lead(plays.team("a"), Plan(subtasks=(task("one"),)), workspace, work=work)
    assert "No files were offered" in job.turns[0].detail
    assert fake.requests == []


def test_a_teams_folder_that_holds_much_more_than_a_team_is_refused(
    machines: Machines, workspace: Path, tmp_path: Path
):
    """Every worker would get a copy of all of it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for number in range(2_001):
        (folder / f"{number}.txt").touch()
    team = make_team("t", None, [plays.member("a", source=str(folder / "a.md"))])
    job = machines.lead(team, Plan(subtasks=(task("one"),)), workspace)
    assert "holds more than 2,000 files" in job.turns[0].detail


def test_a_job_that_ended_is_known_as_done_without_the_setting(
    machines: Machines, fake: FakeMessagesAPI, workspace: Path
):
    """What travelled is gone with the job, and so is the need for a place."""
    fake.when(prompt("a"), writes)
    plan = Plan(subtasks=(task("one"),))
    job = machines.lead(plays.team("a"), plan, workspace)
    machines.settings["staging_url"] = ""
    asked = len(fake.requests)
    again = machines.lead(plays.team("a"), plan, workspace)
    assert (again.job_id, again.status, len(fake.requests)) == (job.job_id, "succeeded", asked)
