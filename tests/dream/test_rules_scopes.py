"""What one project taught stays with it: nothing is mixed, and where a dream reads several, each is named."""

import pytest

from agentflows.change import Pattern
from agentflows.dream.scopes import in_words, name_of, project_of
from tests.dream.told import bash, learned, session, texts, user

UNIT = [bash("npm test", 'npm error Missing script: "test"', error=True), bash("npm run unit")]
ELSEWHERE = session(9, bash("ls"), project="/home/me/code/bank")


def shop(number: int):
    """A session of a project among others."""
    return session(number, *UNIT, project="/home/me/code/shop")


def test_two_projects_do_not_support_each_other():
    """One session each is one session each."""
    one, other = shop(1), session(2, *UNIT, project="/home/me/code/bank")
    changes, refused = learned([one, other])
    assert changes == []
    assert [refusal.gate for refusal in refused] == ["support", "support"]


def test_the_project_is_named_where_a_dream_reads_several():
    """A store that serves several must say where a lesson holds; one that serves one need not."""
    (lesson,) = texts([shop(1), shop(2), ELSEWHERE])
    assert lesson.startswith("In `code/shop`: `npm test` fails: ")
    (lesson,) = texts([shop(1), shop(2)])
    assert lesson.startswith("`npm test` fails: ")


def test_what_two_projects_say_differently_stays_apart():
    """Neither is wrong, and neither is newer."""
    sessions = [
        session(1, bash("npm install"), user("Always use pnpm, never npm."), project="/home/me/code/shop"),
        session(2, bash("npm install"), user("Always use yarn, never npm."), project="/home/me/code/bank"),
    ]
    assert sorted(texts(sessions)) == [
        "In `code/bank`: Always use yarn, never npm.",
        "In `code/shop`: Always use pnpm, never npm.",
    ]


def test_what_a_user_says_of_all_projects_names_none():
    """The user is the same everywhere."""
    rule = "In all my projects, write commit messages in English."
    assert texts([session(1, user(rule)), ELSEWHERE]) == [rule]


def test_a_second_dream_knows_what_the_first_one_wrote():
    """With the project's name or without it; but another project's entry is another matter."""
    (first,), _ = learned([shop(1), shop(2), ELSEWHERE])
    files = {"/learned.md": f"# Learned\n\n{first.after}\n"}
    assert [one.op for one in learned([shop(1), shop(2), ELSEWHERE], files)[0]] == ["reinforce"]
    assert [one.op for one in learned([shop(1), shop(2)], files)[0]] == ["reinforce"]
    bank = [session(number, *UNIT, project="/home/me/code/bank") for number in (1, 2)]
    assert [one.op for one in learned([*bank, shop(3)], files)[0]] == ["add"]


def test_a_general_note_gains_an_exception_that_names_its_project():
    """What it tells may hold everywhere else."""
    (change,), _ = learned([shop(1), shop(2), ELSEWHERE], {"/notes.md": "- Run tests with `npm test`.\n"})
    assert "**Exception:** In `code/shop`: `npm test` fails" in (change.after or "")


def test_one_projects_value_replaces_no_general_one():
    """The note may be about the other project."""
    fact = "The dev server runs on port 5173."
    sessions = [session(number, user(fact), project="/home/me/code/shop") for number in (1, 2)]
    note = {"/notes.md": "- The dev server runs on port 3000.\n"}
    assert [one.op for one in learned([*sessions, ELSEWHERE], note)[0]] == ["add"]
    assert [one.op for one in learned(sessions, note)[0]] == ["supersede"]


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("/home/me/code/shop/.worktrees/fix-1", "/home/me/code/shop"),
        ("/home/me/code/shop/.claude/worktrees/a/web", "/home/me/code/shop"),
        ("/home/me/.worktrees/shop", "/home/me/.worktrees/shop"),
        ("/home/me/code/shop", "/home/me/code/shop"),
        ("airline", "airline"),
    ],
)
def test_a_work_tree_is_its_project(folder: str, project: str):
    """Unless nothing but somebody's home is left of the path."""
    assert project_of(folder) == project


@pytest.mark.parametrize(
    ("project", "name"),
    [("/home/me/code/shop", "code/shop"), ("D:\\shop", "shop"), ("airline", "airline"), ("/", "/")],
)
def test_a_project_has_one_name(project: str, name: str):
    """It must not depend on what else is read, or the next dream would not know it again."""
    assert name_of(project) == name


def test_a_scope_that_is_no_project_stays():
    """An engine may say that a lesson holds in the tests only."""
    lesson = Pattern(
        pattern_id="p", key="k", kind="error", subject="s", attribute="a", scope="tests", claim="c", sessions=("s1",),
        origins=1, trust=1, quotes=(),
    )  # fmt: skip
    assert in_words([lesson], {"/home/me/code/shop"}) == [lesson]
    assert (
        in_words([lesson.model_copy(update={"scope": "/home/me/code/shop"})], {"/home/me/code/shop"})[0].scope
        == ""
    )
