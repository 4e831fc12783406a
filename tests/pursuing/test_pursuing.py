"""A whole outcome with writers that are functions and criteria that are checks: no key, everything real."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from agentflows.agent import AgentDefinition
from agentflows.errors import ConflictError, OutcomeError, RubricError, SettingsError, UsageError
from agentflows.evaluation import Attempt, Evaluation, Outcome
from agentflows.home import Home
from agentflows.outcome import Steps, Waiting
from agentflows.pursuing import ASIDE, asked, begin, decide, go_on, make_request, pursue, resume
from tests import command_line
from tests.pursuing.conftest import Pursue

TWO = "- **rain**: Rain.\n  check: regex notes.md `Rain`\n- **snow**: Snow.\n  check: regex notes.md `Snow`\n"
HUMAN = """# Notes

- **rain**: They name rain.
  check: regex notes.md `(?i)rain`
- **liked**: Ada likes them. (human)
"""


def test_a_bad_draft_is_revised_until_the_checks_pass(run: Pursue, workspace: Path):
    """The workspace then holds the good version, and the user's own file is as it was."""
    found = run("better")
    assert (found.result, found.revisions, found.best_iteration) == ("satisfied", 1, 1)
    assert [one.result for one in found.evaluations] == ["needs_revision", "satisfied"]
    assert [item.path for item in found.attempts[0].deliverables] == ["notes.md"]
    assert (workspace / "notes.md").read_text() == "Sun and rain.\n"
    assert (workspace / "mine.txt").read_text() == "the user's own"


def test_every_run_lands_in_the_archive_with_its_verdicts(run: Pursue, home: Home):
    """Dreams then learn which attempt failed at which criterion, and that they belong together."""
    found = run("better")
    rows = {one.session_id: one for one in home.archive.info()}
    first, second = (rows[one.session_id] for one in found.attempts)
    assert (first.verdict, first.score, second.verdict, second.score) == ("failure", 0.5, "success", 1.0)
    assert second.root_id == first.session_id
    session = next(iter(home.archive.sessions([first.session_id])))
    assert session.outcome is not None
    assert session.outcome.source == "outcome_evaluation"
    assert [(check.name, check.passed) for check in session.outcome.checks] == [
        ("there", True),
        ("rain", False),
    ]


def test_the_same_command_again_does_nothing_while_the_workspace_is_as_it_was_left(
    run: Pursue, workspace: Path
):
    """And is new work once somebody changed it."""
    found = run("counts")
    assert run("counts") == found
    assert (workspace.parent / "ran.txt").read_text() == "xx"
    (workspace / "mine.txt").write_text("changed")
    again = run("counts")
    assert again.outcome_id != found.outcome_id
    assert again.result == "stopped"  # its draft leaves notes.md as good as it found it, and is then graded
    assert run("counts", key="another").outcome_id not in {found.outcome_id, again.outcome_id}


def test_the_best_version_is_put_back_and_later_files_go(run: Pursue, workspace: Path):
    """A writer that made it worse leaves no traces of that."""
    found = run("worse", TWO, max_iterations=2)
    assert found.result != "satisfied"
    assert found.best_iteration == 0
    assert "rain" in found.evaluations[1].regressions
    assert sorted(path.name for path in workspace.iterdir()) == ["draft0.tmp", "mine.txt", "notes.md"]
    assert (workspace / "notes.md").read_text() == "Rain.\n"


@pytest.mark.parametrize(
    ("function", "reason"),
    [("same", "no_change"), ("nothing", "no_deliverables"), ("broken", "writer_error")],
)
def test_what_cannot_get_better_stops(run: Pursue, function: str, reason: str):
    """With its reason, and before the revisions are used up."""
    found = run(function)
    assert (found.result, found.stop_reason) == ("stopped", reason)
    if function == "broken":
        assert "no ink" in found.explanation


def test_only_named_deliverables_are_graded_as_such(run: Pursue):
    """Globs choose; what they miss is no deliverable."""
    found = run("better", deliverables=["docs/*.md"])
    assert (found.stop_reason, found.attempts[0].deliverables) == ("no_deliverables", ())


def test_deliverables_are_frozen_read_only_and_a_changed_copy_is_noticed(run: Pursue, home: Home):
    """What was graded can be read later, and nobody can have forged it."""
    found = run("better", HUMAN)
    folder = home.settings.home_path / "outcomes" / found.outcome_id / "1"
    file = folder / "notes.md"
    assert file.read_text() == "Sun and rain.\n"
    assert file.stat().st_mode & 0o222 == 0 == folder.stat().st_mode & 0o222
    folder.chmod(0o755)
    file.chmod(0o644)
    file.write_text("Sun and rain!\n")
    with pytest.raises(OutcomeError, match="not what was frozen"):
        resume(found.outcome_id, home=home)


def test_a_change_of_the_workspace_after_the_freeze_does_not_reach_the_grading(
    run: Pursue, workspace: Path, home: Home
):
    """The frozen copy is graded, whatever others do meanwhile."""
    found = run("better", HUMAN)
    (workspace / "notes.md").write_text("nothing of the kind")
    decide(home, found.outcome_id, "met", reviewer="ada")
    assert resume(found.outcome_id, home=home).result == "satisfied"


def test_a_person_is_asked_last_and_what_they_say_is_recorded(run: Pursue, home: Home):
    """Not for a draft that fails by itself; and the outcome waits, in any process, until they said it."""
    found = run("better", HUMAN)
    assert (found.result, len(found.attempts), len(found.evaluations)) == ("waiting", 2, 1)
    assert "Nobody was asked yet" in found.evaluations[0].criteria[1].reason
    assert run("better", HUMAN).result == "waiting"
    question = asked(home, found.outcome_id)
    assert [one.criterion_id for one in question.criteria] == ["liked"]
    assert Path(question.folder, "notes.md").read_text() == "Sun and rain.\n"
    decide(home, found.outcome_id, "met", reason="good", reviewer="ada")
    ended = run("better", HUMAN)
    assert (ended.result, ended.outcome_id) == ("satisfied", found.outcome_id)
    assert ended.evaluations[1].criteria[1].reason == "ada: good"
    assert [(row.action, row.actor_name) for row in home.state.audit() if row.action == "judged"] == [
        ("judged", "ada")
    ]


def test_a_person_who_says_no_sends_the_work_back_with_their_words(run: Pursue, home: Home):
    """And is asked again about other files only."""
    found = run("better", HUMAN)
    with pytest.raises(UsageError, match="needs a reason"):
        decide(home, found.outcome_id, "unmet")
    with pytest.raises(UsageError, match="No person is asked about 'rain'"):
        decide(home, found.outcome_id, "met", criteria=["rain"])
    decide(home, found.outcome_id, "unmet", reason="too short", reviewer="ada")
    ended = resume(found.outcome_id, home=home)
    assert "too short" in ended.evaluations[1].explanation
    assert (ended.stop_reason, len(ended.attempts)) == ("no_change", 3)
    with pytest.raises(UsageError, match="waits for nobody"):
        decide(home, found.outcome_id, "met")


def test_an_outcome_is_interrupted_before_its_first_evaluation_and_goes_on(
    home: Home, workspace: Path, agent: Callable[[str], AgentDefinition]
):
    """Whoever asks it to stop is heard at the next step; what was done stays."""
    request = make_request(
        "Notes",
        rubric="- Rain.\n  check: regex notes.md `rain`\n",
        agent=agent("better"),
        workspace=workspace,
    )
    with begin(home, request) as begun:
        name = home.state.ask_stop(begun.outcome.outcome_id, "enough")
    found = pursue("Notes", rubric=request.rubric, agent=request.agent, workspace=workspace, home=home)
    assert (found.outcome_id, found.result, found.explanation) == (name, "interrupted", "enough")
    assert (found.attempts, found.evaluations) == ((), ())
    assert resume(name, home=home).result == "satisfied"


def test_more_revisions_go_on_where_they_ran_out(run: Pursue, home: Home):
    """From the last version, not from the beginning."""
    found = run("better", max_iterations=0)
    assert (found.result, found.revisions) == ("max_iterations_reached", 0)
    with pytest.raises(OutcomeError, match="nothing to go on with"):
        resume(found.outcome_id, home=home)
    more = run("better", max_iterations=1)
    assert (more.outcome_id, more.result, more.revisions) == (found.outcome_id, "satisfied", 1)


def test_what_somebody_wrote_since_is_never_put_back(run: Pursue, home: Home, workspace: Path):
    """Going on would undo it: by its id that is refused with the files, and the command itself is new work from there."""
    found = run("better", max_iterations=0)
    (workspace / "mine.txt").write_text("v2, by hand")
    (workspace / "new.csv").write_text("1,2")
    with pytest.raises(
        OutcomeError, match=r"was changed since .* ended: 'mine.txt', 'new.csv'\. .*nothing was done"
    ):
        resume(found.outcome_id, home=home, max_iterations=1)
    more = run("better", max_iterations=1)
    assert more.outcome_id != found.outcome_id
    assert more.result == "satisfied"
    assert (workspace / "mine.txt").read_text() == "v2, by hand"
    assert (workspace / "new.csv").read_text() == "1,2"


def test_what_tools_leave_behind_does_not_keep_an_outcome_from_going_on(
    run: Pursue, home: Home, workspace: Path
):
    """Whoever runs the tests between two passes has changed nothing that anybody would miss."""
    found = run("better", max_iterations=0)
    (workspace / "__pycache__").mkdir()
    (workspace / "__pycache__" / "notes.pyc").write_text("0")
    assert resume(found.outcome_id, home=home, max_iterations=1).result == "satisfied"


def test_graded_work_of_a_job_leads_to_its_job(run: Pursue, home: Home):
    """Its copy goes with the job, so nothing can be gone on with alone, and nobody is told that it could."""
    found = run("better", max_iterations=0, place="job_one/turn", parent_id="job_one")
    with pytest.raises(OutcomeError, match=r"graded work of the job job_one.*orchestrate --resume job_one"):
        resume(found.outcome_id, home=home, max_iterations=2)
    shown = command_line.run(
        "outcome", "show", found.outcome_id, "--home", str(home.settings.home_path)
    ).stdout
    assert "threads job_one" in shown
    assert "outcome resume" not in shown


def test_what_stood_there_when_a_version_is_put_back_is_laid_aside(
    home: Home, workspace: Path, agent: Callable[[str], AgentDefinition]
):
    """Somebody who writes while the work is graded finds it again, beside the versions."""
    request = make_request("Notes", rubric=TWO, agent=agent("worse"), workspace=workspace, max_iterations=1)
    with begin(home, request) as begun:

        class Meanwhile:
            """The steps of the run, and a person who writes after the last grading."""

            def __getattr__(self, name: str) -> object:
                return getattr(begun, name)

            def grade(self, outcome: Outcome, attempt: Attempt) -> Evaluation | Waiting:
                found = begun.grade(outcome, attempt)
                (workspace / "mine.txt").write_text(f"by hand, {attempt.iteration}")
                return found

        go_on(begun, cast("Steps", Meanwhile()))
        folder = begun.folder
    assert (workspace / "notes.md").read_text() == "Rain.\n", "the best version is there again"
    (laid,) = (folder / ASIDE).iterdir()
    assert (laid / "mine.txt").read_text() == "by hand, 1"
    shown = command_line.run("outcome", "show", folder.name, "--home", str(home.settings.home_path), "--full")
    assert str(folder / ASIDE) in shown.stdout.replace("\n", "")


def test_memory_is_shown_and_its_version_recorded(run: Pursue, home: Home, workspace: Path):
    """What the writer knew can be told later."""
    home.state.create_store("team", actor=home.actor("ada"))
    folder = workspace.parent / "memory"
    folder.mkdir()
    (folder / "weather.md").write_text("- It rains in May.\n")
    home.state.import_folder("team", folder, actor=home.actor("ada"))
    found = run("remembers", memory="team")
    assert (found.memory_store, found.memory_version) == ("team", 1)
    assert "It rains in May" in (workspace / "notes.md").read_text()


def test_a_command_on_a_schedule_begins_a_new_outcome_however_many_there_were(
    run: Pursue, home: Home, workspace: Path
):
    """None of the earlier ones is read but the last: here they could not be."""
    first = run("counts")
    with sqlite3.connect(home.settings.home_path / "state.db") as database:
        columns = [str(name) for _, name, *_ in database.execute("PRAGMA table_info(outcome)")]
        given = {
            "outcome_id": "'outc_old' || i",
            "created_at": "'2020-01-01 00:00:00.000000'",
            "seal": "'unread'",
        }
        values = ", ".join(given.get(name, name) for name in columns)
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        database.execute(
            f"{numbers} INSERT INTO outcome ({', '.join(columns)}) SELECT {values} FROM outcome, n"
        )
    (workspace / "mine.txt").write_text("another day")
    assert run("counts").outcome_id != first.outcome_id
    assert (workspace.parent / "ran.txt").read_text().count("x") > 2, "it ran again"


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"workspace": "/nowhere/at/all"}, UsageError, "is no folder"),
        ({"workspace": "/"}, UsageError, "lie in each other"),
        ({"max_iterations": 21}, UsageError, "max_iterations: Input should be less than or equal to 20"),
        ({"max_iterations": -1}, UsageError, "max_iterations"),
        ({"rubric": "# Nothing\n\nNo criteria here.\n"}, RubricError, "criteri"),
        ({"rubric": "- It is good.\n\n"}, SettingsError, "a model judges"),
        ({"memory": "nobody"}, UsageError, "nobody"),
        ({"agent": "/nowhere/agent.md"}, UsageError, "agent"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_costs(
    run: Pursue, home: Home, changed: dict[str, object], error: type[Exception], message: str
):
    """One line, and no outcome is begun."""
    with pytest.raises(error, match=message):
        run("better", **changed)
    assert home.state.outcomes() == []


def test_two_processes_do_not_work_in_one_workspace(
    run: Pursue, home: Home, workspace: Path, agent: Callable[[str], AgentDefinition]
):
    """Each would grade what the other writes."""
    request = make_request(
        "Other", rubric="- Rain.\n  check: exists x\n", agent=agent("better"), workspace=workspace
    )
    with begin(home, request), pytest.raises(ConflictError, match="at work"):
        run("better")
    assert run("better").result == "satisfied"


def test_links_and_folders_are_put_back_too(run: Pursue, workspace: Path):
    """A version is all of a workspace, not only its deliverables."""
    (workspace / "docs").mkdir()
    (workspace / "docs" / "a.txt").write_text("a")
    (workspace / "tool.sh").write_text("#!/bin/sh\n")
    (workspace / "tool.sh").chmod(0o755)
    (workspace / "link").symlink_to("mine.txt")
    found = run("worse", max_iterations=1)
    assert found.result != "satisfied" or found.best_iteration == 0
    assert (workspace / "link").readlink() == Path("mine.txt")
    assert (workspace / "tool.sh").stat().st_mode & 0o100
    assert (workspace / "docs" / "a.txt").read_text() == "a"


def test_the_records_of_the_best_and_the_last_attempt_stay(run: Pursue, home: Home):
    """Who goes on with the files that are kept needs the context they were made in; the rest is forgotten."""
    found = run("worse", TWO, max_iterations=2)
    kept = [
        bool(home.state.runner_state(f"{found.outcome_id}/done/{one.iteration}")) for one in found.attempts
    ]
    assert (found.best_iteration, kept) == (0, [True, False, True])


COMMANDS = """# Notes

- **rain**: They name rain.
  ```check command
  grep -qi rain notes.md && test -f mine.txt && echo found
  ```
- **walls**: Nothing of the grading's own can be reached or spoilt.
  ```check command
  rm -f notes.md mine.txt; test -z "$ANTHROPIC_API_KEY" && test ! -e /root/.ssh && ls -a
  ```
- **still**: The command before left this one its files.
  check: exists notes.md
"""


@pytest.mark.usefixtures("sandbox_here")
def test_commands_check_the_whole_version_each_in_a_copy_of_its_own(
    run: Pursue, workspace: Path, monkeypatch: pytest.MonkeyPatch
):
    """A test suite needs files that the writer never touched, and may leave behind what it likes."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
    found = run("better", COMMANDS)
    assert found.result == "satisfied", found.explanation
    assert "exit code 0: found" in found.evaluations[1].criteria[0].reason
    assert sorted(path.name for path in workspace.iterdir()) == ["mine.txt", "notes.md"]


@pytest.mark.usefixtures("sandbox_here")
def test_a_command_that_does_not_end_or_exist_is_cannot_tell(run: Pursue):
    """It says what is needed, and the loop goes on."""
    rubric = "- **slow**: Ends.\n  ```check command timeout=1\n  sleep 20\n  ```\n- **gone**: Is there.\n  ```check command\n  nosuchtool\n  ```\n"
    (first, *_) = run("better", rubric, max_iterations=0).evaluations
    assert [one.met for one in first.criteria] == ["cannot_tell", "cannot_tell"]
    assert "timeout" in first.criteria[0].reason
    assert "was not found" in first.criteria[1].reason


def test_an_agent_cannot_replace_the_function_that_checks_it(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
):
    """With the rubric in the workspace, and called from there, what the user had there at the start decides."""
    (workspace / "checks.py").write_text(
        'def says_rain(folder):\n    return "rain" in (folder / "notes.md").read_text()\n'
    )
    rubric = workspace / "rubric.md"
    rubric.write_text("- **rain**: Rain.\n  check: python checks:says_rain\n")
    lie = "def says_rain(folder):\n    return True\n"
    script = f"echo sun > notes.md; printf '{lie}' | tee checks.py json.py pathlib.py > /dev/null"
    agent = AgentDefinition(
        name="w", prompt="p", runner="command", command=("/bin/sh", "-c", script), sha256="1"
    )
    monkeypatch.chdir(workspace)
    found = pursue("Notes", rubric=rubric, agent=agent, workspace=workspace, home=home, max_iterations=0)
    assert found.evaluations[0].criteria[0].met == "unmet"
    assert found.result == "max_iterations_reached"


def test_the_last_words_of_an_agent_can_be_what_is_graded(run: Pursue, workspace: Path):
    """For agents that answer and leave no file. They stand in a file of their own, and a link is not followed there."""
    rubric = "- **said**: It says so.\n  check: regex answer.md `^I could not\\.$`\n"
    outside = workspace.parent / "outside.txt"
    outside.write_text("somebody's")
    (workspace / "answer.md").symlink_to(outside)
    found = run("nothing", rubric, deliverables=["@answer"], max_iterations=0)
    assert found.result == "satisfied"
    assert [item.path for item in found.attempts[0].deliverables] == ["answer.md"]
    assert (workspace / "answer.md").read_text() == "I could not."
    assert outside.read_text() == "somebody's"
    (workspace / "answer.md").unlink()
    (workspace / "answer.md" / "below").mkdir(parents=True)
    again = run("nothing", rubric, deliverables=["@answer"], max_iterations=0, key="over a folder")
    assert (again.result, (workspace / "answer.md").read_text()) == ("satisfied", "I could not.")


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_the_words_of_a_run_that_broke_are_no_answer(run: Pursue, workspace: Path, *, is_folder: bool):
    """Nor is the answer of somebody before it, whatever it is."""
    answer = workspace / "answer.md"
    (answer / "answer.md" if is_folder else answer).parent.mkdir(exist_ok=True)
    (answer / "answer.md" if is_folder else answer).write_text("I could not.")
    found = run("broken", "- Said.\n  check: exists answer.md\n", deliverables=["@answer"])
    assert (found.result, found.stop_reason) == ("stopped", "writer_error")


def test_what_a_command_says_it_used_is_on_record(home: Home, workspace: Path):
    """Its tokens beside its dollars, though no call of ours was made for them."""
    standin = Path(__file__).parents[1] / "runners" / "standin_claude.py"
    command = (sys.executable, str(standin), "-p", "--output-format", "stream-json", "--verbose")
    agent = AgentDefinition(name="w", prompt="p", runner="command", command=command, sha256="1")
    found = pursue(
        "Out", rubric="- Out.\n  check: exists out.md\n", agent=agent, workspace=workspace, home=home
    )
    assert found.result == "satisfied"
    assert (found.attempts[0].usage.total, found.usage.total) == (230, 230)
    assert found.dollars > 0


def test_an_outcome_goes_on_from_another_folder(home: Home, workspace: Path, tmp_path: Path):
    """Agent and rubric are named from the folder one is in, and their functions lie beside them: they were not found."""
    folder = tmp_path / "project" / "work"
    folder.mkdir(parents=True)
    (folder / "own.py").write_text(
        "def passes(folder):\n    return True\n\n"
        "def acts(task, feedback, workspace, memory):\n    open(f'{workspace}/x.md', 'w').close()\n"
    )
    (folder / "done.md").write_text("- It is done.\n  check: python own:passes\n")
    (folder / "a.md").write_text("---\nname: a\nrunner: python\nfunction: own:acts\n---\nx\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "project")
        request = make_request("Do it", rubric="work/done.md", agent="work/a.md", workspace=workspace)
        with begin(home, request) as run_:
            pass
        patch.chdir(tmp_path)
        assert resume(run_.outcome.outcome_id, home=home).result == "satisfied"
