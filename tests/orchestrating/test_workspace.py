"""One workspace for all: every turn in a copy, merged file by file, and nobody's update lost."""

import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition
from agentflows.errors import OutcomeError
from agentflows.home import Home
from agentflows.orchestrating import orchestrate
from agentflows.orchestrating.merging import KEPT_ASIDE, stays_inside
from agentflows.orchestrating.staging import Staging
from agentflows.pursuing.seen import Seen
from agentflows.pursuing.versions import Versions
from agentflows.team import Orchestration, Plan, SubTask, make_team
from agentflows.testing import Reply
from tests.rights import bound_by_rights

FUNCTIONS = '''
import os
import time
from pathlib import Path
from typing import Any

def does(task, feedback, workspace, memory):
    """Runs the statements of the task; `meet(a, b)` returns when both have come."""
    folder, meeting = Path(workspace), Path(__file__).parent

    def meet(me, other):
        (meeting / me).touch()
        until = time.monotonic() + 30
        while not (meeting / other).exists():
            assert time.monotonic() < until
            time.sleep(0.01)

    exec(task, {"folder": folder, "os": os, "meet": meet})
    return "done"
'''

Work = Callable[..., Orchestration]


@pytest.fixture
def work(home: Home, workspace: Path, tmp_path: Path) -> Work:
    """Carries out a plan of sub-tasks that are statements; a string is a task, a pair what it needs too."""
    (tmp_path / "workers.py").write_text(FUNCTIONS)
    agent = AgentDefinition(
        name="w", prompt="…", runner="python", function="workers:does", source=str(tmp_path / "w.md")
    )

    def start(*tasks: SubTask, **options: Any) -> Orchestration:
        team = make_team("workers", None, [agent])
        return orchestrate(team=team, plan=Plan(subtasks=tasks), workspace=workspace, home=home, **options)

    return start


def task(name: str, code: str, *needs: str) -> SubTask:
    """A sub-task of these statements."""
    return SubTask(subtask_id=name, agent="w", task=code, needs=needs)


def changed(job: Orchestration) -> dict[str, list[tuple[str, str, bool]]]:
    """What each sub-task did to which file, and whether it was kept aside."""
    return {
        turn.order.subtask_id: [(change.kind, change.path, change.is_kept_aside) for change in turn.changes]
        for turn in job.turns
    }


def test_two_threads_that_write_the_same_file_lose_no_update(work: Work, workspace: Path):
    """One version stands in the workspace, the other beside it, and the record says so."""
    job = work(
        task("a", "meet('a', 'b'); (folder / 'mine.txt').write_text('by a')"),
        task("b", "meet('b', 'a'); (folder / 'mine.txt').write_text('by b')"),
    )
    (aside,) = (workspace / KEPT_ASIDE).rglob("mine.txt")
    assert {(workspace / "mine.txt").read_text(), aside.read_text()} == {"by a", "by b"}
    (lost,) = [turn for turn in job.turns if turn.changes[0].is_kept_aside]
    (won,) = [turn for turn in job.turns if turn is not lost]
    assert lost.changes[0].conflict_with == (won.thread_id,)
    assert str(aside.relative_to(workspace)) == f"{KEPT_ASIDE}/{lost.thread_id}/0/mine.txt"
    assert job.status == "succeeded"


def test_a_promised_file_that_lost_a_conflict_is_not_what_was_promised(work: Work, workspace: Path):
    """Whoever needs it finds another's version, or no file at all: such work is partial, and the job with it."""
    same = SubTask(
        subtask_id="a", agent="w", task="meet('a', 'b'); (folder / 'x').write_text('by a')", outputs=("x",)
    )
    below = SubTask(
        subtask_id="b",
        agent="w",
        task="meet('b', 'a'); (folder / 'x').mkdir(); (folder / 'x/y').write_text('by b')",
        outputs=("x/*", "mine.txt"),
    )
    job = work(same, below)
    (lost,) = [turn for turn in job.turns if any(change.is_kept_aside for change in turn.changes)]
    (won,) = [turn for turn in job.turns if turn is not lost]
    assert (won.ending, lost.ending, job.status) == ("succeeded", "partial", "partial")
    assert "another version was in the workspace" in lost.detail
    assert all((workspace / item.path).is_file() for turn in job.turns for item in turn.outputs)
    assert lost.missing in {("x",), ("x/*",)}


def test_the_same_update_twice_and_different_files_are_no_conflict(work: Work, workspace: Path):
    """Threads that agree, or keep apart, meet in nothing."""
    job = work(
        task("a", "meet('a', 'b'); (folder / 'mine.txt').write_text('same'); (folder / 'a').write_text('a')"),
        task("b", "meet('b', 'a'); (folder / 'mine.txt').write_text('same'); (folder / 'b').write_text('b')"),
    )
    assert not (workspace / KEPT_ASIDE).exists()
    assert [change.conflict_with for turn in job.turns for change in turn.changes] == [(), (), (), ()]


def test_a_deletion_does_not_take_away_what_another_changed(work: Work, workspace: Path):
    """Nor does a change bring back, unseen, what another deleted: it is kept aside."""
    (workspace / "other.txt").write_text("x")
    job = work(
        task("a", "meet('a', 'b'); (folder / 'mine.txt').unlink(); (folder / 'other.txt').write_text('y')"),
        task("b", "meet('b', 'a'); (folder / 'mine.txt').write_text('z'); (folder / 'other.txt').unlink()"),
    )
    asides = {path.name: path.read_text() for path in (workspace / KEPT_ASIDE).rglob("*.txt")}
    here = {path.name: path.read_text() for path in workspace.glob("*.txt")}
    everything = {**asides, **here}
    assert everything == {"mine.txt": "z", "other.txt": "y"}
    assert sum(change.is_kept_aside for turn in job.turns for change in turn.changes) == 2


def test_a_file_does_not_take_the_place_of_anothers_folder(work: Work, workspace: Path):
    """`x` and `x/y` cannot both be: whoever comes second is kept aside whole."""
    work(
        task("a", "meet('a', 'b'); (folder / 'x').write_text('file')"),
        task("b", "meet('b', 'a'); (folder / 'x').mkdir(); (folder / 'x/y').write_text('below')"),
    )
    texts = sorted(
        path.read_text() for path in workspace.rglob("*") if path.is_file() and path.name in {"x", "y"}
    )
    assert texts == ["below", "file"]


def test_links_modes_and_deletions_reach_the_workspace_and_the_next_turn(work: Work, workspace: Path):
    """A later turn finds the workspace as the earlier one left its copy."""
    (workspace / "tool").write_text("#!/bin/sh\n")
    (workspace / "sub").mkdir()
    (workspace / "sub" / "gone").write_text("x")
    first = (
        "os.chmod(folder / 'tool', 0o755); os.symlink('tool', folder / 'sub' / 'link'); "
        "(folder / 'sub' / 'gone').unlink(); os.symlink('/etc/passwd', folder / 'out')"
    )
    second = (
        "assert os.access(folder / 'tool', os.X_OK); assert os.readlink(folder / 'sub' / 'link') == 'tool'; "
        "assert not (folder / 'sub' / 'gone').exists(); assert not os.path.lexists(folder / 'out')"
    )
    job = work(task("a", first), task("b", second, "a"))
    assert job.status == "succeeded", job.result
    assert changed(job)["a"] == [
        ("deleted", "sub/gone", False), ("created", "sub/link", False), ("modified", "tool", False),
    ]  # fmt: skip
    assert "links that lead out of the workspace were left out: out" in job.turns[0].detail
    assert stat.S_IMODE((workspace / "tool").stat().st_mode) & stat.S_IXUSR


@pytest.mark.parametrize(
    ("path", "link", "inside"),
    [
        ("a", "b", True), ("d/a", "../b", True), ("d/a", "../../b", False), ("a", "/etc", False), ("a", "..", False),
        ("a", "d/../../x", False), ("d/a", "..", True), ("d/a", "./../b/c", True), ("a", ".", True),
        ("a", "b/../x", False), ("a", "out/x", False), ("d/a", "../way/x", False), ("a", "deep/x", True),
        ("a", "round/x", False),
    ],
)  # fmt: skip
def test_a_link_stays_inside_by_its_words(path: str, link: str, inside: bool):  # noqa: FBT001
    """What leads out of the workspace would let a specialist write to the user's other files."""
    there = {"out": "/etc", "way": "d/up", "d/up": "../../x", "deep": "d/e", "d/e": "../f", "round": "round"}
    assert stays_inside(path, link, there) == inside


def test_two_links_that_lead_out_together_are_left_out(work: Work, workspace: Path):
    """`b/..` is inside by its words, and beside the workspace when `b` leads to the workspace itself."""
    (workspace.parent / "secret").write_text("S")
    one = "os.symlink('.', folder / 'b'); os.symlink('b/../secret', folder / 'a'); os.symlink(b'\\xff', folder / 'c')"
    two = "(folder / 'd').mkdir(); os.symlink('../b', folder / 'd/e'); os.symlink('d/e/../secret', folder / 'f')"
    job = work(task("one", one), task("two", two, "one"))
    assert job.status == "succeeded", job.result
    assert ["left out: a" in job.turns[0].detail, "left out: f" in job.turns[1].detail] == [True, True]
    links = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_symlink()}
    assert links == {"b", "d/e"}


def test_a_file_whose_name_is_no_text_is_told_and_not_lost_in_silence(work: Work, workspace: Path):
    """Such a name can stand in no record. What tools make by themselves is none of the work."""
    lines = "folder.joinpath('bad\\udcffname').touch(); folder.joinpath('good').touch()"
    lines += "; folder.joinpath('__pycache__').mkdir(); folder.joinpath('__pycache__', 'x\\udcff').touch()"
    job = work(SubTask(subtask_id="one", agent="w", task=lines))
    (turn,) = job.turns
    assert [change.path for change in turn.changes] == ["good"]
    assert (
        turn.detail
        == "files whose names are not UTF-8 are not seen and were left out, have them renamed: bad\\xffname"
    )
    assert (workspace / "good").exists()


def test_what_was_kept_aside_is_nobodys_work(work: Work, workspace: Path):
    """It is shown to later turns, and nothing done to it counts as theirs."""
    old = workspace / KEPT_ASIDE / "w-9" / "0"
    old.mkdir(parents=True)
    (old / "notes.md").write_text("old")
    job = work(
        task(
            "a", f"(folder / '{KEPT_ASIDE}/w-9/0/notes.md').write_text('new'); (folder / 'b').write_text('b')"
        )
    )
    assert changed(job)["a"] == [("created", "b", False)]
    assert (old / "notes.md").read_text() == "old"


def test_a_failed_turn_leaves_what_it_did_and_says_so(work: Work, workspace: Path):
    """Its files are merged as any other's: `partial` is what it left, `failed` when that is nothing."""
    job = work(
        task("a", "(folder / 'half.md').write_text('half'); raise ValueError('no ink')"), task("b", "1 / 0")
    )
    assert [(turn.order.subtask_id, turn.ending) for turn in job.turns] == [("a", "partial"), ("b", "failed")]
    assert (workspace / "half.md").read_text() == "half"
    assert "no ink" in job.turns[0].detail


def test_shared_files_are_seen_at_once(work: Work, workspace: Path):
    """With `files=shared` there are no copies: what one writes, the other reads while both work."""
    job = work(
        task("a", "(folder / 'a').write_text('a'); meet('a', 'b')"),
        task("b", "meet('b', 'a'); assert (folder / 'a').read_text() == 'a'"),
        files="shared",
    )
    assert (job.status, (workspace / "a").read_text()) == ("succeeded", "a")


def test_a_private_file_stays_private(work: Work, workspace: Path):
    """In the workspace, and where a version that lost a conflict is kept; a turn's copy knows nothing of rights."""
    (workspace / ".env").write_text("A=1")
    (workspace / ".env").chmod(0o600)
    work(
        task("a", "meet('a', 'b'); (folder / '.env').write_text('A=2')"),
        task("b", "meet('b', 'a'); (folder / '.env').write_text('A=3')"),
    )
    both = [workspace / ".env", *(workspace / KEPT_ASIDE).rglob(".env")]
    assert {path.read_text() for path in both} == {"A=2", "A=3"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in both] == [0o600, 0o600]


def test_a_folder_that_a_turn_closed_is_not_taken_for_deleted(work: Work, workspace: Path, home: Home):
    """An agent's test that was killed midway leaves such a folder; the user's files below it stay, and its copy goes."""
    (workspace / "sub").mkdir()
    (workspace / "sub" / "precious").write_text("x")
    closed = (
        "(folder / 'sub/new').write_text('y'); os.chmod(folder / 'sub/new', 0); os.chmod(folder / 'sub', 0)"
    )
    with bound_by_rights():
        job = work(task("a", closed))
    assert job.status == "succeeded", job.result
    assert changed(job) == {"a": [("created", "sub/new", False)]}
    assert {path.name: path.read_text() for path in (workspace / "sub").iterdir()} == {
        "precious": "x",
        "new": "y",
    }
    assert not (home.settings.home_path / "jobs" / job.job_id / "turns").exists()


def test_a_folder_that_cannot_be_opened_is_no_empty_folder(home: Home, workspace: Path, tmp_path: Path):
    """Whatever is below it would count as deleted, and be deleted where the next version is put back."""
    (workspace / "sub" / "closed").mkdir(parents=True)
    (workspace / "sub" / "closed").chmod(0)
    with bound_by_rights(), pytest.raises(OutcomeError, match=r"Permission denied \(sub/closed\)"):
        Versions(tmp_path / "versions", workspace).take()


def test_version_control_is_left_alone_and_named(work: Work, workspace: Path):
    """Two histories cannot be merged file by file."""
    (workspace / ".git").mkdir()
    (workspace / ".git" / "HEAD").write_text("x")
    job = work(task("a", "(folder / '.git' / 'HEAD').write_text('y')"))
    assert (workspace / ".git" / "HEAD").read_text() == "x"
    assert "version control were left out" in job.turns[0].detail


def test_what_nobody_touched_is_not_read_again(home: Home, workspace: Path):
    """And what was touched is, however its times were set."""
    target = workspace / "mine.txt"
    long_ago = 1_000_000_000
    os.utime(target, (long_ago, long_ago))
    staging = Staging(home, "job_x", workspace)
    first = staging.take()
    before = target.stat()
    target.write_text("the user's OWN\n")
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    second = staging.take()
    assert first.files["mine.txt"] != second.files["mine.txt"]
    assert staging.take() == second


def test_a_change_right_after_a_copy_was_made_is_seen(home: Home, workspace: Path, tmp_path: Path):
    """Within one tick of the clock, in place and of the same length, as a program may write it."""
    staging = Staging(home, "job_x", workspace)
    begun = staging.take()
    copies = [tmp_path / f"copy{number}" for number in range(20)]
    for copy in copies:
        copy.mkdir()
        own = Versions(staging.folder, copy, Seen(), staging.contents)
        own.lay_down(begun)
        assert own.take() == begun
        with (copy / "mine.txt").open("r+") as file:
            file.write("THE")
        assert own.take().files["mine.txt"] != begun.files["mine.txt"]
    assert Versions(staging.folder, copies[0], None, staging.contents).take() != begun


def test_who_only_replaces_files_shares_them_and_changes_nobody_elses(
    judged: Home, fake: Any, workspace: Path
):
    """Agents without a shell get further names of the kept contents instead of copies."""
    script = workspace / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    shared: list[int] = []

    def answer(request: Any) -> Any:
        replies = sum(message["role"] == "assistant" for message in request.body["messages"])
        if replies == 0:
            copies = list((judged.settings.home_path / "jobs").glob("*/turns/*/*/mine.txt"))
            shared.append(min(copy.stat().st_nlink for copy in copies))
            return Reply.tool_use("read", {"path": "mine.txt"})
        if replies == 1 and "Edit." in request.text:
            return Reply.tool_use("edit", {"path": "mine.txt", "old": "user's", "new": "user's very"})
        return "Done."

    fake.script(answer)
    agents = [
        AgentDefinition(name="editor", prompt="Edit.", tools=("read", "edit")),
        AgentDefinition(name="reader", prompt="Read.", tools=("read", "bash")),
    ]
    plan = Plan(subtasks=(SubTask(subtask_id="a", agent="editor", task="Edit"),))
    team = make_team("editors", None, agents)
    job = orchestrate(team=team, plan=plan, workspace=workspace, home=judged)
    assert shared == [2]
    assert [change.path for change in job.turns[0].changes] == ["mine.txt"]
    assert (workspace / "mine.txt").read_text() == "the user's very own\n"
    assert (workspace / "mine.txt").stat().st_nlink == 1
    assert script.stat().st_mode & stat.S_IXUSR
    shell = Plan(subtasks=(SubTask(subtask_id="b", agent="reader", task="Read"),))
    shared.clear()
    orchestrate(team=team, plan=shell, workspace=workspace, home=judged)
    assert shared == [1]
    contents = judged.settings.home_path / "jobs" / job.job_id / "objects"
    assert all(path.name == sha256(path.read_bytes()).hexdigest() for path in contents.iterdir())
