"""Probes in a whole dream over the example project: what helps is committed, what harms waits, nothing is paid twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import Change, DreamReport
from agentflows.dream import markdown, summary_json
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.dreaming.probing import POINTS
from agentflows.errors import ProbeError, SettingsError
from agentflows.home import Home, open_home
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES
from tests.crash import scenes, workers
from tests.pursuing.conftest import verdicts

CENTS = "Always keep amounts in integer cents."
ROUND = "Never round money before the sum."
"""Two lessons that a dream over the example commits by itself."""

AGENTS = '''
"""Agents that use their memory: what one writes decides whether its probe passes."""
from pathlib import Path

def _note(workspace, text):
    with (Path(__file__).parent / "ran.txt").open("a") as file:
        file.write("x")
    (Path(workspace) / "out.txt").write_text(text)

def cautious(task, feedback, workspace, memory):
    """Takes the rule on rounding for a rule never to finish."""
    _note(workspace, "undone" if "Never round" in str(memory) else "done")

def helped(task, feedback, workspace, memory):
    _note(workspace, "done" if "integer cents" in str(memory) else "undone")

def breaks(task, feedback, workspace, memory):
    _note(workspace, "done")
    if "integer cents" in str(memory) and not (Path(__file__).parent / "mended").exists():
        raise ValueError("no ink")

def flaky(task, feedback, workspace, memory):
    """Passes and fails in turn: f p with the present memory, p f with the candidate."""
    count = Path(__file__).parent / "count.txt"
    seen = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (seen + 1))
    _note(workspace, "done" if seen in (1, 2) else "undone")
'''
RUBRIC = "rubric: |\n  - **done**: It is done.\n    check: regex out.txt `^done$`\n"


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project in a home, to be copied."""
    return scenes.fill(tmp_path_factory.mktemp("replay") / "home")


@pytest.fixture
def folder(seeded: Path, tmp_path: Path) -> Path:
    return scenes.copy(seeded, tmp_path / "home")


@pytest.fixture
def home(folder: Path) -> Iterator[Home]:
    with open_home(folder) as doors:
        yield doors


@pytest.fixture
def probes(tmp_path: Path) -> Path:
    """A folder for probes, with agents for them."""
    place = tmp_path / "probes"
    (place / "agents").mkdir(parents=True)
    (place / "agents" / "agents.py").write_text(AGENTS)
    for name in ("cautious", "helped", "breaks", "flaky"):
        text = f"---\nname: {name}\nrunner: python\nfunction: agents:{name}\n---\n"
        (place / "agents" / f"{name}.md").write_text(text)
    return place


def put(probes: Path, *names: str, more: str = "") -> Path:
    for name in names:
        text = f"---\nagent: agents/{name}.md\n{RUBRIC}{more}---\nDo it.\n"
        (probes / f"{name}.md").write_text(text)
    return probes


def ran(probes: Path) -> int:
    """How often an agent of a probe ran."""
    file = probes / "agents" / "ran.txt"
    return len(file.read_text()) if file.exists() else 0


def dream(home: Home, probes: Path | str, **options: Any) -> DreamReport:
    given = {"store": "example", "engine": "rules", "commit": "auto", "probes": str(probes)} | options
    return dream_over(home, DreamRequest.model_validate(given))


def about(report: DreamReport, words: str) -> Change:
    return next(change for change in report.changes if words in (change.after or ""))


def test_the_examples_probe_improves_and_what_helped_is_committed(home: Home):
    """What README and examples/README.md say of it: no key, no model; one probe gets better, one stays as it was."""
    report = dream(home, EXAMPLES / "probes")
    assert report.replay is not None
    assert {one.probe: one.verdict for one in report.replay.probes} == {
        "depot-times": "passes",
        "invoice-total": "improved",
    }
    assert about(report, CENTS).status == "committed"
    assert "Replayed 2 probes: 1 improved, 0 flipped." in report.notes
    assert summary_json(report)["probes"]["improved"] == 1
    assert "| invoice\\-total | improved | 0/1 | 1/1 |" in markdown(report).replace(
        "invoice-total", "invoice\\-total"
    )


def test_a_change_that_makes_a_probe_fail_waits_and_the_harmless_ones_are_committed(home: Home, probes: Path):
    """True, typed by users in enough sessions, and harmful: nothing but using it shows that."""
    before = {info.session_id for info in home.archive.info()}
    report = dream(home, put(probes, "cautious", "helped"))
    harmful = about(report, ROUND)
    assert (harmful.status, harmful.risks) == ("held", ("flips_probe",))
    assert harmful.status_reason.startswith(
        "replay: the probe 'cautious' passes without this change and fails with it: done: "
    )
    assert "out.txt" in harmful.status_reason
    assert about(report, CENTS).status == "committed"
    assert about(report, "update the changelog").status == "committed"
    text = "\n".join(home.state.files("example").values())
    assert CENTS in text
    assert ROUND not in text
    assert {info.session_id for info in home.archive.info()} == before, (
        "a dream must not learn from its trials"
    )
    assert not (home.settings.home_path / "jobs").exists() or not list(
        (home.settings.home_path / "jobs").iterdir()
    )


def test_under_review_it_is_said_and_nothing_is_written(home: Home, probes: Path):
    """A person who approves should know which probe would fail."""
    report = dream(home, put(probes, "cautious"), commit="review")
    assert "flips_probe" in about(report, ROUND).risks
    assert "flips_probe" not in about(report, CENTS).risks
    assert home.state.get_store("example").version == 1


def test_a_probe_that_breaks_holds_everything_until_it_can_be_told(home: Home, probes: Path):
    """Never a pass; and the same dream again tries it again, and commits when it is mended."""
    first = dream(home, put(probes, "breaks", "helped"))
    assert about(first, CENTS).risks == ("untested",)
    assert (
        "'breaks' could not be told: its agent ended as failed: ValueError: no ink"
        in about(first, CENTS).status_reason
    )
    assert not [change for change in first.changes if change.status == "committed"]
    (probes / "agents" / "mended").touch()
    second = dream(home, probes)
    assert second.dream.dream_id == first.dream.dream_id
    assert about(second, CENTS).status == "committed"


def test_a_probe_that_passes_by_chance_holds_everything(home: Home, probes: Path):
    """As many pairs get worse as get better: it measures nothing."""
    report = dream(home, put(probes, "flaky", more="repeats: 2\n"))
    assert report.replay is not None
    (flaky,) = report.replay.probes
    assert (flaky.verdict, report.replay.better, report.replay.worse) == ("unclear", 1, 1)
    assert "its repeats point both ways" in about(report, CENTS).status_reason


def test_what_a_probe_came_to_is_known_to_the_next_dream(home: Home, probes: Path):
    """The same probe with the same memory is not run again, whichever dream asks."""
    put(probes, "cautious", "helped")
    first = dream(home, probes, output="create_new")
    count = ran(probes)
    assert first.replay is not None
    assert first.replay.runs == count > 4
    code = probes / "agents" / "agents.py"
    code.write_text(AGENTS + "\n# the agent is another now\n")
    changed = dream(home, probes, output="create_new")
    assert changed.dream.dream_id != first.dream.dream_id
    assert ran(probes) == 2 * count
    code.write_text(AGENTS)
    assert dream(home, probes, output="create_new").dream.dream_id == first.dream.dream_id
    other = dream(home, probes)
    assert other.dream.dream_id != first.dream.dream_id
    assert other.replay is not None
    assert (other.replay.runs, other.replay.known) == (0, first.replay.runs)
    assert other.replay.flips
    assert ran(probes) == 2 * count


def _dream(folder: Path, probes: Path) -> None:
    with open_home(folder) as doors:
        dream(doors, probes)


@pytest.mark.parametrize(
    "points", [pytest.param(POINTS[::3], id="some"), pytest.param(POINTS, id="all", marks=pytest.mark.slow)]
)
def test_a_replay_may_die_at_every_point_and_repeats_no_run(
    folder: Path, probes: Path, points: Sequence[str]
):
    """Killed at each point in turn: what an agent finished is not run again, and it comes out as undisturbed."""
    put(probes, "cautious", "helped")
    undisturbed = scenes.copy(folder, folder.with_name("undisturbed"))
    _dream(undisturbed, probes)
    runs = ran(probes)
    for point in points:
        workers.die_at(point, _dream, folder, probes)
    assert workers.finish(workers.start(_dream, folder, probes)) == 0
    assert ran(probes) == 2 * runs
    with open_home(folder) as one, open_home(undisturbed) as other:
        assert one.state.files("example") == other.state.files("example")
        assert ROUND not in str(one.state.files("example"))


def test_a_stores_probes_may_stand_in_the_settings(folder: Path, probes: Path):
    """So that a scheduled dream is never without them; a folder that is given wins."""
    put(probes, "cautious")
    with open_home(folder, probes={"example": str(probes)}) as home:
        assert about(dream(home, "", output="create_new"), ROUND).risks == ("flips_probe",)
        other = dream(home, EXAMPLES / "probes")
        assert other.replay is not None
        assert {one.probe for one in other.replay.probes} == {"depot-times", "invoice-total"}


def test_without_probes_nothing_changes(home: Home):
    """Neither the dream's name nor its report."""
    report = dream(home, "")
    assert report.replay is None
    assert "probes" not in summary_json(report)
    assert "## Replay" not in markdown(report)


def test_a_probe_that_cannot_be_run_ends_the_dream_before_it_begins(home: Home, probes: Path):
    """A typing error must not be found after the reading was paid."""
    with pytest.raises(ProbeError, match="holds no probe"):
        dream(home, probes)
    put(probes, "cautious")
    (probes / "cautious.md").write_text(f"---\nagent: agents/model.md\n{RUBRIC}---\nDo it.\n")
    (probes / "agents" / "model.md").write_text("---\nname: model\n---\nYou work.\n")
    with pytest.raises(SettingsError, match="its agent 'model' needs a model"):
        dream(home, probes)
    assert home.state.dreams() == []


# -- with a model ------------------------------------------------------------------------------------


SUN = "There was sun all day."


def answer(request: FakeRequest) -> Any:
    """An agent that writes what its memory makes of it, and a grader that reads that."""
    if "You are an independent grader" in request.text:
        return verdicts(sun=("out.txt", SUN) if SUN in request.text else "no sun")
    if any(one["role"] == "assistant" for one in request.body["messages"]):
        return Reply.text("I wrote it.")
    said = "It rained." if "Never round" in request.text else SUN
    return Reply.tool_use("write", {"path": "out.txt", "content": said})


@pytest.fixture
def asked(folder: Path, probes: Path) -> Iterator[tuple[Home, FakeMessagesAPI]]:
    """A home with an endpoint, and one probe whose agent and judge are models."""
    (probes / "agents" / "model.md").write_text(
        "---\nname: model\ntools: write\nlimits:\n  max_tokens: 40000\n---\nYou work.\n"
    )
    (probes / "model.md").write_text(
        "---\nagent: agents/model.md\nrubric: |\n  - **sun**: The notes name sun.\n---\nWrite notes.\n"
    )
    with (
        FakeMessagesAPI().script(answer) as fake,
        open_home(folder, base_url=fake.url, api_key=fake.api_key) as doors,
    ):
        yield doors, fake


def test_models_do_and_judge_the_probes_and_their_cost_is_the_dreams(
    asked: tuple[Home, FakeMessagesAPI], probes: Path
):
    """Said beforehand, counted afterwards, on a level of its own; known runs cost nothing."""
    home, fake = asked
    given = {"store": "example", "engine": "rules", "commit": "auto", "probes": str(probes)}
    run = DreamRun.start(home, DreamRequest.model_validate(given))
    assert "replay of 1 probe: 2 runs" in run.quoted_cost
    assert "up to 200,000 tokens" in run.quoted_cost
    run.release()
    report = dream(home, probes, output="create_new")
    assert about(report, ROUND).risks == ("flips_probe",)
    assert about(report, CENTS).status == "committed"
    spent = home.state.spent(f"dream:{report.dream.dream_id}/replay")
    assert report.cost.calls == spent.calls == len(fake.requests) > 0
    count = len(fake.requests)
    assert about(dream(home, probes), ROUND).risks == ("flips_probe",)
    assert len(fake.requests) == count


def test_a_replay_that_its_budget_does_not_allow_holds_everything(
    asked: tuple[Home, FakeMessagesAPI], probes: Path
):
    """A gate that cannot be paid is not passed; with more money the same dream goes on."""
    home, _ = asked
    first = dream(home, probes, replay_budget={"tokens": 100})
    assert about(first, CENTS).risks == ("untested",)
    assert "/replay" in about(first, CENTS).status_reason
    second = dream(home, probes)
    assert second.dream.dream_id == first.dream.dream_id
    assert about(second, CENTS).status == "committed"


def test_a_grader_that_breaks_is_neither_a_pass_nor_a_fail(asked: tuple[Home, FakeMessagesAPI], probes: Path):
    """Its broken answer says nothing about the memory."""
    home, fake = asked
    broken = Reply.text("Looks good to me!")
    fake.script(
        lambda request: broken if "You are an independent grader" in request.text else answer(request)
    )
    report = dream(home, probes)
    assert about(report, CENTS).risks == ("untested",)
    assert "its outcome ended as grader_error" in about(report, CENTS).status_reason
    fake.script(answer)
    assert about(dream(home, probes), CENTS).status == "committed"
