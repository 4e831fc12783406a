"""Standing rules are told from one-offs, questions, reports and demands on the product, in several languages."""

import pytest

from tests.dream.told import agent, bash, learned, session, texts, user


def rules(text: str) -> list[str]:
    """What one session in which a user typed this would teach."""
    return texts([session(1, bash("npm install"), bash("pip install x"), user(text))])


@pytest.mark.parametrize(
    "rule",
    [
        "Never use class components in React.",
        "When you commit, always sign off.",
        "Commit messages must always be in English.",
        "All new code must have tests.",
        "Every commit needs a ticket number.",
        "We always squash before merging.",
        "I always want type hints.",
        "Make it a habit to run ruff.",
        "You have to run the tests first, every time.",
        "Keep in mind that we deploy from release branches.",
        "In all my projects, write commit messages in English.",
        "In Zukunft bitte immer pnpm statt npm verwenden.",
        "Verwende immer einfache Anführungszeichen.",
        "Ab sofort keine Kommentare im Code.",
        "Bei Commits immer die Ticketnummer angeben.",
        "Utilise toujours pnpm.",
        "Ne commite jamais sans lancer les tests.",
        "À partir de maintenant, écris les commits en anglais.",
        "Usa siempre comillas simples.",
        "De ahora en adelante responde en español.",
        "Stop using npm.",
    ],
)
def test_a_rule_is_heard_once(rule: str):
    """A user who says that it goes on should not have to say it again."""
    assert rules(rule) == [rule]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("I already told you twice: use pnpm!", "Use pnpm!"),
        ("i told you to use pnpm", "Use pnpm."),
        ("again: do not touch package-lock.json", "Do not touch package-lock.json."),
        ("Can you always run prettier?", "Always run prettier."),
        ("Nein, wir nutzen hier Poetry, nicht pip.", "Wir nutzen hier Poetry, nicht pip."),
        ("Non, on utilise yarn ici, pas npm.", "On utilise yarn ici, pas npm."),
        ("No, aquí usamos yarn, no npm.", "Aquí usamos yarn, no npm."),
        ("no, pnpm not npm", "Use pnpm, not npm."),
        ("Bitte nie direkt auf main pushen.", "Nie direkt auf main pushen."),
    ],
)
def test_what_answers_or_insists_is_left_out(said: str, written: str):
    """The rule stands in a memory, not the quarrel."""
    assert rules(said) == [written]


@pytest.mark.parametrize(
    "text",
    [
        "For this PR only, always squash the commits.",
        "Just for today, never run the e2e tests.",
        "Always skip the tests in this PR.",
        "Never use the cache in this branch.",
        "For now always use the staging key.",
        "Until Friday never deploy.",
        "Never push for the next hour.",
        "Never touch that file while I'm editing it.",
        "Always do it like this for this ticket.",
        "Diesmal immer die alte Version nehmen.",
        "Cette fois, utilise toujours la branche de test.",
    ],
)
def test_a_one_off_is_no_rule(text: str):
    """What is over next week would be obeyed for ever."""
    assert rules(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Should I always use pnpm?",
        "do you always run the tests?",
        "Why do you never run the linter",
        "What if we never cached that",
        'My boss said "always use tabs".',
        "The README says: Always run make first.",
        "Anna wrote: never deploy on Fridays",
        "He told me to always rebase",
        "The docs say you should always close the client.",
    ],
)
def test_a_question_or_what_others_say_is_no_rule(text: str):
    """Who quotes a rule need not want it."""
    assert rules(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "This should never happen.",
        "You should never see this message.",
        "The button must always be visible.",
        "The cache is always stale after deploy, fix it.",
        "Please make the sidebar always visible.",
        "Do not show the modal again after the user dismissed it.",
        "The user should never see a blank page.",
        "Add a rule that users must always confirm their email.",
        "Always-on-top should be the default for the window.",
        "Das passiert immer beim Starten.",
        "Esto siempre falla.",
        "Ça plante toujours.",
        "In the future we want dark mode.",
        "We always get an error here.",
        "What is the average number of injuries caused each time.",
    ],
)
def test_a_demand_on_the_product_is_no_rule_for_the_work(text: str):
    """What the program must do is the task at hand; a complaint is none either."""
    assert rules(text) == []


def test_one_wish_in_many_wordings_is_one():
    """The tool and what it replaces make it the same."""
    sessions = [
        session(1, bash("npm install"), user("please use pnpm"), bash("pnpm install")),
        session(2, agent(), user("we use pnpm not npm")),
        session(3, agent(), user("Use pnpm instead of npm.")),
    ]
    (change, *_), _ = learned(sessions)
    assert change.support >= 2
    assert change.after is not None
    assert "pnpm instead of npm" in change.after


def test_of_two_choices_the_newer_holds():
    """Weighing the same two, a user chose the other one later."""
    sessions = [
        session(1, bash("npm install"), user("Use pnpm, not npm.")),
        session(5, bash("pnpm install"), user("Use npm, not pnpm.")),
    ]
    changes, refused = learned(sessions)
    assert [one.after for one in changes] == ["- Use npm, not pnpm. (said in 1 session, last on 2026-03-06)"]
    assert "contradicted" in {one.gate for one in refused}


def test_a_tool_that_was_not_run_is_not_replaced():
    """`use the logo` is this work."""
    assert rules("please use the logo") == []
    assert rules("use flexbox instead of grid") == []
