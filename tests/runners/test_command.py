"""The command runner: any program; Claude Code's stream-json is read as what it is."""

import json
import sys
from pathlib import Path

import pytest

from agentflows.agent import AgentDefinition, Job
from agentflows.budget import UnlimitedPurse, is_refusal
from agentflows.errors import UsageError
from agentflows.runners import CommandRunner
from tests.runners.conftest import writer
from tests.runners.test_python import is_gone

STANDIN = str(Path(__file__).parent / "standin_claude.py")


def claude(*more: str, **changed: object) -> AgentDefinition:
    """Claude Code's command with the stand-in for the program."""
    command = (sys.executable, STANDIN, "-p", "--output-format", "stream-json", "--verbose",
               "--model", "{model}", "--resume", "{session}", *more)  # fmt: skip
    return writer(runner="command", command=command, env=("STANDIN",), **changed)


def test_the_events_of_claude_code_are_the_session(job: Job):
    """Its words, tool calls, errors, tokens and costs, each with the trust of its place."""
    purse = UnlimitedPurse()
    done = CommandRunner(purse).run(claude(), job)
    assert (done.end, done.text, done.detail) == ("finished", "Done.", "")
    told = [(turn.kind, turn.trust, turn.text, turn.is_error) for turn in done.session.turns]
    assert told == [
        ("user", 2, job.task, False),
        ("agent", 2, "I look.", False),
        ("tool_call", 2, '{"command":"make"}', False),
        ("tool_result", 1, "Exit code 2\nmake: no rule", True),
        ("agent", 2, "Done.", False),
        ("system", 1, "a line that is no event", False),
    ]
    assert [turn.seq for turn in done.session.turns] == list(range(6))
    assert (done.tool_calls, done.tool_errors, done.dollars) == (1, 1, 0.0123)
    assert (done.usage.input_tokens, done.usage.cache_read_tokens) == (20, 200)
    assert done.session.format == "agentflows"
    assert done.session.meta["native_session"].startswith("native-")
    assert (purse.spent().tokens, purse.spent().dollars) == (230, 0.0123)
    kept = [json.loads(line) for line in done.raw]
    assert [line["record"]["type"] for line in kept if line["type"] == "native"] == [
        "system", "assistant", "user", "assistant", "result",
    ]  # fmt: skip


def test_a_revision_goes_on_in_the_agents_own_session(job: Job):
    """`--resume` with the id it gave; the first run has neither the option nor its value."""
    first = CommandRunner().run(claude(), job)
    native = first.session.meta["native_session"]
    again = job.model_copy(
        update={"job_id": "outc_1/attempt/1", "feedback": "No date.", "state": first.state}
    )
    second = CommandRunner().run(claude(), again)
    session, *prompt = (job.workspace / "out.md").read_text().split("\n")
    assert session == native
    assert "No date." in "\n".join(prompt)
    assert job.task not in "\n".join(prompt)
    assert second.session.turns[0].trust == 1


def test_the_task_is_a_word_or_standard_input(job: Job):
    """Where the template says so, or else on standard input."""
    done = CommandRunner().run(claude("{task}"), job)
    assert done.end == "finished"
    assert job.task in (job.workspace / "out.md").read_text()


def test_the_agents_prompt_reaches_the_program(job: Job):
    """Where the template has a place for it, or else before the first task; never twice in one session."""
    first = CommandRunner().run(claude(), job)
    assert f"You write.\n\n{job.task}" in (job.workspace / "out.md").read_text()
    again = job.model_copy(update={"feedback": "No date.", "state": first.state})
    CommandRunner().run(claude(), again)
    assert "You write." not in (job.workspace / "out.md").read_text()
    words = ("/bin/sh", "-c", 'cat; echo "[$0]"', "{prompt}")
    done = CommandRunner().run(writer(runner="command", command=words), job)
    assert done.text == f"{job.task}[You write.]"


@pytest.mark.parametrize(
    ("mode", "end", "detail"),
    [
        ("error", "failed", "error_during_execution: API Error: 529"),
        ("max_turns", "cap_reached", "error_max_turns"),
        ("liar", "failed", "reported success and ended with exit code 3"),
        ("cut", "failed", "without a result, with exit code 1: it broke"),
        ("flood", "failed", "printed more"),
    ],
)
def test_only_a_result_and_exit_code_0_are_success(
    job: Job, monkeypatch: pytest.MonkeyPatch, mode: str, end: str, detail: str
):
    """An agent's own word is not enough, nor is a quiet end."""
    monkeypatch.setenv("STANDIN", mode)
    done = CommandRunner().run(claude(), job)
    assert done.end == end
    assert detail in done.detail


def test_a_deadline_kills_the_whole_group(job: Job, monkeypatch: pytest.MonkeyPatch):
    """Children that outlive their parent would write into what is being graded."""
    monkeypatch.setenv("STANDIN", "hang")
    done = CommandRunner().run(claude(max_seconds=1.5), job)
    assert done.end == "cap_reached"
    assert is_gone(int((job.workspace / "child.pid").read_text()))


def test_spending_over_its_limit_is_no_success(job: Job):
    """What a program spends is known afterwards only; then it is said."""
    done = CommandRunner().run(claude(max_dollars=0.01), job)
    assert done.end == "cap_reached"
    assert "max_dollars" in done.detail
    assert is_refusal(done.detail)


def test_it_sees_named_variables_only(job: Job, monkeypatch: pytest.MonkeyPatch):
    """A key is passed on when the agent's file names it, and not otherwise."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    CommandRunner().run(claude(), job)
    assert "ANTHROPIC_API_KEY" not in (job.workspace / "out.md").read_text()
    named = claude().model_copy(update={"env": ("ANTHROPIC_API_KEY",)})
    CommandRunner().run(named, job)
    assert "ANTHROPIC_API_KEY" in (job.workspace / "out.md").read_text()


def test_plain_text_is_the_agents_word(job: Job):
    """Any program that prints its answer is an agent."""
    words = ("/bin/sh", "-c", "cat; echo; echo $0 >&2; touch made", "{workspace}")
    agent = writer(runner="command", prompt="", command=words)
    done = CommandRunner().run(agent, job)
    assert (done.end, done.text) == ("finished", job.task)
    assert [(turn.kind, turn.text) for turn in done.session.turns] == [
        ("user", job.task), ("agent", job.task), ("system", str(job.workspace)),
    ]  # fmt: skip
    assert (job.workspace / "made").exists()


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        (("/bin/sh", "-c", "echo wrong >&2; exit 7"), "exit code 7: wrong"),
        (("/nowhere/agent",), "/nowhere/agent cannot be started: No such file or directory"),
        (("/bin/sh", "-c", "kill -9 $$"), "exit code -9"),
    ],
)
def test_a_failing_program_is_a_failed_run(job: Job, command: tuple[str, ...], detail: str):
    """With its exit code and the last thing it said."""
    done = CommandRunner().run(writer(runner="command", command=command), job)
    assert done.end == "failed"
    assert detail in done.detail


@pytest.mark.usefixtures("sandbox_here")
def test_walls_are_around_it_when_the_agent_asks(job: Job):
    """`sandbox: required`: it sees its workspace and neither our files nor our variables, and the record says so."""
    (job.workspace / "in.txt").write_text("here")
    script = f"cat in.txt; cat {STANDIN} || echo unseen"
    agent = writer(runner="command", command=("/bin/sh", "-c", script), sandbox="required")
    done = CommandRunner().run(agent, job)
    assert done.end == "finished"
    assert "here" in done.text
    assert "unseen" in done.text
    assert done.session.meta["sandbox"] == "required"
    assert CommandRunner().run(claude(), job).session.meta["sandbox"] == "off"


def test_a_program_that_is_not_installed_is_named(job: Job):
    """Before anything is written down."""
    with pytest.raises(UsageError, match="needs the program 'no-such-agent', which is not in PATH"):
        CommandRunner().run(writer(runner="command", command=("no-such-agent",)), job)
    with pytest.raises(UsageError, match="names none"):
        CommandRunner().run(writer(runner="command"), job)
