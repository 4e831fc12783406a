"""`agentflows outcome` on the command line: what it says, and with which exit code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentflows.cli import app
from agentflows.cli.outcome import exit_code
from agentflows.errors import UsageError
from agentflows.evaluation import Outcome, OutcomeResult
from agentflows.home import Home
from agentflows.pursuing import pursue
from tests.conftest import EXAMPLES

HUMAN = "# Notes\n\n- **there**: There are notes.\n  check: exists NOTES.md\n- **liked**: Ada likes them. (human)\n"


@pytest.fixture
def waiting(home: Home, tmp_path: Path) -> Outcome:
    """An outcome that waits for a person."""
    shutil.copytree(EXAMPLES / "outcome", tmp_path / "example")
    example = tmp_path / "example"
    return pursue(
        "Notes", rubric=HUMAN, agent=example / "writer.md", workspace=example / "workspace", home=home
    )


def said(home: Home, *words: str) -> Any:
    """What the command prints as JSON."""
    done = CliRunner().invoke(app, ["outcome", *words, "--home", str(home.settings.home_path), "--json"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.stdout)


def test_a_person_reads_decides_and_nothing_waits_any_more(home: Home, waiting: Outcome):
    """Who said it comes back with it."""
    (listed,) = said(home, "list", "--waiting")["outcomes"]
    assert (listed["outcome_id"], listed["result"]) == (waiting.outcome_id, "waiting")
    assert said(home, "decide", waiting.outcome_id)["waiting"] == ["liked"]
    decided = said(home, "decide", waiting.outcome_id, "--met", "--reason", "good", "--by", "ada")
    assert decided["waiting"] == []
    assert [(one["met"], one["reason"], one["reviewer"]) for one in decided["decided"]] == [
        ("met", "good", "ada")
    ]


def test_the_beginning_of_an_id_shows_the_outcome(home: Home, waiting: Outcome):
    """With its attempts, for people and for programs."""
    assert said(home, "show", waiting.outcome_id[:10])["attempts"][0]["end"] == "finished"
    shown = CliRunner().invoke(
        app, ["outcome", "show", waiting.outcome_id, "--home", str(home.settings.home_path)]
    )
    assert "waiting for a person's verdict after 1 attempt, 0 evaluations" in shown.stdout
    assert f"outcome decide {waiting.outcome_id}" in shown.stdout


def test_a_stop_is_asked_for(home: Home, waiting: Outcome):
    """Whoever works on it hears it at the next step."""
    assert said(home, "stop", waiting.outcome_id, "--reason", "enough")["stop_asked"] == "enough"
    assert home.state.stop_asked(waiting.outcome_id) == "enough"


@pytest.mark.parametrize(
    "words",
    [
        ["decide", "outc_", "--met", "--unmet"],
        ["decide", "outc_", "--unmet"],
        ["decide", "outc_", "--met", "--criterion", "there"],
        ["show", "outc_nothing"],
        ["A task", "--rubric", "/nowhere.md", "--agent", "a.md", "--workspace", "."],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_two(home: Home, waiting: Outcome, words: list[str]):
    """One line that says what to do, and nothing is recorded."""
    done = CliRunner().invoke(app, ["outcome", *words, "--home", str(home.settings.home_path)])
    assert getattr(done.exception, "exit_code", done.exit_code) == 2
    assert home.state.verdicts(waiting.outcome_id) == []


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("satisfied", 0),
        ("failed", 1),
        ("grader_error", 1),
        ("waiting", 3),
        ("max_iterations_reached", 3),
        ("stopped", 3),
        ("interrupted", 3),
    ],
)
def test_the_exit_code_says_how_it_ended(result: OutcomeResult, code: int):
    """As the help of the command says."""
    found = Outcome(
        outcome_id="o", description="d", rubric_sha256="", agent="a", workspace="w", result=result
    )
    assert exit_code(found) == code


def test_what_has_no_effect_in_an_agent_file_is_said(home: Home, tmp_path: Path):
    """One line on standard error; and a folder that is not there is said before a server is started for it."""
    agent, rubric = tmp_path / "agent.md", tmp_path / "rubric.md"
    agent.write_text("---\nname: a\nrunner: python\nfunction: a:b\ntools: Read\n---\nWrite.\n")
    rubric.write_text("- There.\n  check: exists a.txt\n")
    words = ["outcome", "Write", "--rubric", str(rubric), "--agent", str(agent)]
    where = ["--home", str(home.settings.home_path), "--workspace"]
    done = CliRunner().invoke(app, [*words, *where, str(tmp_path / "nowhere")])
    assert isinstance(done.exception, UsageError)
    assert "is no folder" in str(done.exception)
    assert "Warning:" in done.stderr
    assert "tools" in done.stderr
    assert "has no effect with `runner: python`" in done.stderr
    assert "Starting Prefect" not in done.output


def test_an_outcome_that_has_ended_is_not_asked_to_stop(home: Home, waiting: Outcome):
    """Whoever reads that it ends at its next step would wait for one that never comes."""
    home.state.save_outcome(waiting.model_copy(update={"result": "satisfied"}))
    assert said(home, "stop", waiting.outcome_id)["stop_asked"] == ""
    words = ["outcome", "stop", waiting.outcome_id[:10], "--home", str(home.settings.home_path)]
    assert "has ended already: satisfied after 1 attempt" in CliRunner().invoke(app, words).stdout
