"""Proof by mutation: what cannot fail is named, what nobody notices is named, and the artifact stays as it was."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agentflows.authoring import prove_rubric
from agentflows.errors import UsageError
from agentflows.evaluation import Met
from agentflows.memory import tree_sha256_of
from agentflows.rubric import parse_rubric, read_rubric
from agentflows.workbench import KINDS, artifact_files, mutations_of, plants, prove
from agentflows.workbench.mutations import inverted
from agentflows.workbench.planting import words_for
from tests.conftest import EXAMPLES

NOTES = """# Notes

The timeout is 30 seconds.

## Steps

- Stop the `worker` first.
- Then start the `printer`.

## Ends

All is well since Monday.
"""


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    (folder / "data").mkdir(parents=True)
    (folder / "notes.md").write_text(NOTES)
    (folder / "data" / "r.json").write_text('{"total": 12, "rows": []}\n')
    (folder / "logo.png").write_bytes(bytes(range(256)))
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    return folder


def snapshot(folder: Path) -> str:
    return tree_sha256_of(
        {
            str(path.relative_to(folder)): path.read_bytes().hex()
            for path in folder.rglob("*")
            if path.is_file()
        }
    )


def test_every_kind_of_mutation_is_made_of_a_mixed_artifact_and_spoils_one_file(artifact: Path):
    """A kind that is never made proves nothing; one that changes nothing would be a false gap."""
    made = mutations_of(artifact, limit=500)
    assert {one.kind for one in made} == set(KINDS) - {"plant"}
    files = artifact_files(artifact)
    assert ".git/HEAD" not in files
    for one in made:
        assert one.content is None or one.content != files[one.path].read_bytes(), one.name
    assert len({(one.path, one.content) for one in made if one.content is not None}) > 20
    assert mutations_of(artifact, limit=500) == made


def test_a_small_limit_still_gives_each_kind_its_turn(artifact: Path):
    """Many mutations of one long file would leave the others untried."""
    made = mutations_of(artifact, limit=20)
    assert len(made) == 20
    assert {one.kind for one in made} == set(KINDS) - {"plant"}
    assert {one.path for one in made} == {"notes.md", "data/r.json", "logo.png"}


@pytest.mark.parametrize(
    ("said", "turned"),
    [
        ("The worker is stopped.", "The worker is not stopped."),
        ("It must not be run.", "It must be run."),
        ("Always use UTC.", "Never use UTC."),
        ("The cache has been cleared.", "The cache has not been cleared."),
        ("Two words.", ""),
    ],
)
def test_a_statement_is_turned_round(said: str, turned: str):
    """Half a page that says the opposite is the mistake a grader must not miss."""
    assert inverted(said) == turned


def test_criteria_that_cannot_fail_and_mutations_nobody_notices_are_named(artifact: Path):
    """Both are what an author cannot see by reading."""
    rubric = parse_rubric(
        "- **there**: `notes.md` is there. (check)\n  check: exists notes.md\n"
        "- **anything**: There is something. (check)\n  check: exists **/*\n"
        "- **limit**: It names the limit. (check)\n  check: regex notes.md `\\b30 seconds`\n"
        "- **wrong**: It is in French. (check)\n  check: regex notes.md `délai`\n"
        "- **judged**: The steps are in order.\n- **person**: Ada agrees. (human)\n"
    )
    before = snapshot(artifact)
    proof = prove_rubric(rubric, artifact, home=artifact.parent / "home")
    assert snapshot(artifact) == before
    assert {one.criterion_id: one.status for one in proof.criteria} == {
        "there": "proven",
        "anything": "cannot_fail",
        "limit": "proven",
        "wrong": "fails_on_good",
        "judged": "needs_model",
        "person": "needs_person",
    }
    assert proof.cannot_fail == ("anything",)
    caught = {(one.mutation.kind, one.mutation.path): one.caught_by for one in proof.tried}
    assert caught["delete_file", "notes.md"] == ("there", "limit")
    assert caught["empty_file", "notes.md"] == ("limit",)
    assert {one.kind for one in proof.gaps} >= {"break_json", "drop_item", "contradict"}
    limit = next(one for one in proof.criteria if one.criterion_id == "limit")
    assert (limit.caught, limit.alone) == (sum("limit" in one.caught_by for one in proof.tried), sum(one.caught_by == ("limit",) for one in proof.tried))  # fmt: skip


@pytest.mark.usefixtures("sandbox_here")
@pytest.mark.parametrize(
    ("name", "artifact"), [("changelog", "changelog"), ("staging-port", "staging"), ("incident", "incident")]
)
def test_each_check_of_the_examples_can_fail(name: str, artifact: str, tmp_path: Path):
    """The examples are copied: each of their checks holds on the good artifact and fails when that is spoilt."""
    good = EXAMPLES / "rubrics" / "good" / artifact
    rubric = read_rubric(EXAMPLES / "rubrics" / f"{name}.md")
    telling = {"delete_file", "empty_file", "change_number", "placeholder", "contradict"}
    some = [*(one for one in mutations_of(good) if one.kind in telling), *plants(rubric, good)]
    proof = prove_rubric(rubric, good, mutations=some, home=tmp_path)
    checks = {one.criterion_id: one.status for one in proof.criteria if not one.status.startswith("needs")}
    assert {name: status for name, status in checks.items() if status != "proven"} == {}
    assert len(checks) > 2


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\bTODO\b", "TODO"),
        (r'(?i)"(password|token|secret)"', '"password"'),
        (r"^## \d{4}-\d+ [A-Z]x*$", "## 1111-1 A"),
        (r"(?:a|b)(?P<n>c)?[^x]\.(?!z)", "a1."),
        (r"(a)\1", ""),
        (r"[", ""),
        (r"x{9999}", ""),
    ],
)
def test_words_that_a_pattern_finds_are_made_of_it(pattern: str, words: str):
    """What is forbidden must be there once, or a check that forbids is never seen to fail; what code cannot make is left out."""
    assert words_for(pattern) == words


def test_what_a_rubric_forbids_is_planted(artifact: Path):
    """No blind mutation writes a password or brings back an old file."""
    rubric = parse_rubric(
        '- **old**: x\n  check: not exists data/**/*.bak\n- **secret**: x\n  check: not regex **/*.json `"password"`\n'
    )
    proof = prove_rubric(rubric, artifact, home=artifact.parent / "home")
    assert {one.status for one in proof.criteria} == {"proven"}
    planted = {one.mutation.path: one.caught_by for one in proof.tried if one.mutation.kind == "plant"}
    assert planted == {"data/x.bak": ("old",), "data/r.json": ("secret",)}


def test_a_grader_that_writes_does_not_spoil_the_next_copy(artifact: Path):
    """Builds and tests leave files behind."""
    rubric = parse_rubric("- **clean**: No build is there.\n")
    seen: list[bool] = []

    def grade(folder: Path) -> Mapping[str, Met]:
        seen.append((folder / "build").exists())
        (folder / "build").write_text("x")
        return {"clean": "met"}

    proof = prove(rubric, artifact, grade, mutations=mutations_of(artifact, limit=3))
    assert seen == [False] * 4
    assert not (artifact / "build").exists()
    assert proof.criteria[0].status == "cannot_fail"


def test_where_nothing_can_be_graded_it_says_so(artifact: Path, tmp_path: Path):
    """An empty table would read as if all were well."""
    rubric = parse_rubric("- The steps are in order.\n")
    with pytest.raises(UsageError, match="no checks, and no model is there"):
        prove_rubric(rubric, artifact, home=tmp_path / "home")
    with pytest.raises(UsageError, match="found 'nowhere'"):
        prove_rubric(rubric, "nowhere", home=tmp_path / "home")
