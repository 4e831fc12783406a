"""What users plainly state is learned when a second session states it, however it is put; complaints and cases are not."""

import pytest

from agentflows.dream.faithful import doubts
from agentflows.dream.nominate import nominate_pairs
from agentflows.dream.rules import RulesEngine
from agentflows.memory import parse_entries
from tests.dream.told import bash, learned, session, texts, twice, user

ENGINE = RulesEngine()


@pytest.mark.parametrize(
    "fact",
    [
        "The tax-service keeps its logs for 40 days.",
        "After 30 seconds the tax-service gives up.",
        "Port 7107 belongs to the tax-service.",
        "You reach the tax-service on port 7107.",
        "We keep what the tax-service logs for 40 days.",
        "Our importer writes its dumps to /srv/dumps/v2.",
        "The nightly export closes at 23:30.",
    ],
)
def test_a_plain_statement_is_learned_when_two_sessions_make_it(fact: str):
    """The verb does not matter: who says it twice means it."""
    assert texts(twice(user(fact))) == [fact]
    assert texts([session(1, user(fact))]) == []


@pytest.mark.parametrize(
    "text",
    [
        "The page shows 3 errors.",
        "The export crashes with 20 rows.",
        "The port should be 8080.",
        "The importer wants 3 columns.",
        "We will keep it for 40 days.",
        "After that my phone shows 5 bars.",
        "The key of the tax-service is [REDACTED:api-key:0a1b2c3d].",
    ],
)
def test_complaints_wishes_and_blanks_are_no_facts(text: str):
    """What was seen today, what is to be done and what had to be blacked out say nothing of the project."""
    assert texts(twice(user(text))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The tax-service listens on port 7107.", "You reach the tax-service on port 7107."),
        ("The tax-service keeps its logs for 40 days.", "Logs of the tax-service are kept for 40 days."),
        ("By the way, the tax-service holds 40 slots.", "The tax-service holds 40 slots."),
        ("Since Monday the tax-service reads 50 rows.", "The tax-service reads 50 rows now, not 40."),
    ],
)
def test_one_fact_in_two_wordings_is_one(one: str, other: str):
    """Two people need not use one sentence."""
    (change,), _ = learned([session(1, user(one)), session(2, user(other))])
    assert change.support == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "The read pool of the tax-service holds 20 slots.",
            "The write pool of the tax-service holds 20 slots.",
        ),
        ("The tax-service reads 50 rows.", "The tax-service writes 50 rows."),
        ("The tax-service listens on port 7107.", "The tax-service listens on port 7108."),
        ("The tax-service keeps 40 days of logs.", "The fare-service keeps 40 days of logs."),
    ],
)
def test_two_facts_are_not_one(one: str, other: str):
    """A place, a verb, a value or a name that differs makes another fact, and one session each is too few."""
    assert texts([session(1, user(one)), session(2, user(other))]) == []


def test_a_new_value_takes_the_place_of_an_entry_that_names_the_same_thing():
    """Though the entry names no project: the thing has a name of its own."""
    told = [
        session(
            number,
            user("We changed it last week: the tax-service keeps its logs for 40 days."),
            project="/h/me/code/shop",
        )
        for number in (1, 2)
    ]
    elsewhere = session(9, bash("ls"), project="/h/me/code/bank")
    (change,), _ = learned(
        [*told, elsewhere], {"/a.md": "# A\n\n- The tax-service keeps its logs for 90 days.\n"}
    )
    assert change.op == "supersede"
    assert change.after is not None
    assert change.after.startswith("- In `code/shop`: The tax-service keeps its logs for 40 days.")
    assert "90 days" in change.after


def test_a_convention_for_all_things_of_a_kind_is_a_rule():
    """Unlike a demand on one thing of the product, or on the people who use it."""
    rule = "Amounts in the ledger must always be integer cents."
    assert texts([session(1, user(rule))]) == [rule]
    for demand in (
        "The amount must always be visible.",
        "Users must always have a name.",
        "Errors should never happen.",
    ):
        assert texts([session(1, user(demand))]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Always name branches of the tax-service after the ticket.",
            "As a rule, branches of the tax-service are named after the ticket.",
        ),
        ("Never edit generated files by hand.", "Please never touch generated files by hand."),
    ],
)
def test_one_rule_in_two_wordings_is_one_entry(one: str, other: str):
    """How a wish is framed, and which word for editing it takes, does not make it another."""
    (change,), _ = learned([session(1, user(one)), session(2, user(other))])
    assert change.support == 2


def test_a_project_named_by_code_is_no_command():
    """The code span around the project is ours; a command in the text itself still waits for a person."""
    other = session(9, bash("ls"), project="/h/me/code/bank")

    def risks(text: str) -> tuple[str, ...]:
        told = [session(number, user(text), project="/h/me/code/shop") for number in (1, 2)]
        (change,), _ = learned([*told, other])
        return change.risks

    assert risks("Always write dates in full.") == ()
    assert "action_bearing" in risks("Always run `make dates` first.")


def pruned(text: str) -> list[str]:
    """What a dream would do to a file's own entries."""
    return [made.op for made in ENGINE.prune(nominate_pairs(parse_entries("/a.md", text)), "")]


def test_how_often_something_was_said_contradicts_nothing():
    """The counts are ours and no part of what is said."""
    one, other = "(said in 2 sessions, last on 2026-03-01)", "(said in 5 sessions, last on 2026-03-04)"
    text = "The tax-service is built for Lima and Quito"
    assert "flag" not in pruned(f"- {text}. {one}\n- {text}. {other}\n")


def test_what_names_its_thing_is_compared_under_any_heading():
    """Three times the same path in full is once too often twice; two hours of one release contradict."""
    same = "- Builds of the tax-service go to /srv/out/4.\n"
    assert pruned(f"# A\n\n{same}\n# B\n\n{same}\n# C\n\n{same}") == ["merge"]
    assert pruned(
        "# A\n\n- The tax-service is deployed at 1:00 UTC.\n\n# B\n\n- The tax-service is deployed at 9:00 UTC.\n"
    ) == ["flag"]
    assert pruned("# Python\n\n- Line length is 80.\n\n# Java\n\n- Line length is 100.\n") == []


def test_what_an_entry_says_of_another_thing_is_not_said_yet():
    """All other words are shared; in ten thousand sessions many things have one value."""
    files = {"/a.md": "# A\n\n- The fare-service waits 35 seconds before it gives up.\n"}
    (change,), _ = learned(twice(user("The tax-service waits 35 seconds before it gives up.")), files)
    assert change.op == "add"


def test_two_things_of_one_value_are_two_entries():
    """Whoever takes them for one forgets the other."""
    text = "Uploads to the {} are capped at 37 MB for all guests of the house."
    told = [
        session(number, user(text.format(name)))
        for number, name in enumerate(("tax-service", "fare-service") * 2)
    ]
    assert sorted(texts(told)) == [text.format("fare-service"), text.format("tax-service")]


@pytest.mark.parametrize(
    ("claim", "quoted"),
    [
        (
            "As a rule, branches of the tax-service are.",
            "As a rule, branches of the tax-service are named after the ticket.",
        ),
        (
            "Write dates in the tax-service as year, month.",
            "Always write dates in the tax-service as year, month, day.",
        ),
    ],
)
def test_a_sentence_that_breaks_off_is_doubted(claim: str, quoted: str):
    """All its words were said, and what they were said for is gone."""
    assert "it breaks a quoted sentence off" in doubts(claim, [quoted])
    assert doubts(quoted, [quoted]) == []


@pytest.mark.parametrize(
    "wordings",
    [
        ("You find what the otter-folder dumps in /srv/otter-folder/d26.", "Dumps of the otter-folder are in /srv/otter-folder/d26."),
        ("Port 4015 belongs to the willow-loader.", "The port of the willow-loader is 4015."),
        ("The heron-lister refuses files over 231 MB.", "The heron-lister refuses files over 231 MB now, it used to be 189."),
    ],
)  # fmt: skip
def test_one_value_of_one_thing_is_learnt_once(wordings: tuple[str, str]):
    """However it is put: two entries for one fact go out of date one by one."""
    held = [session(number, user(wordings[number % 2])) for number in range(4)]
    assert len(texts(held)) == 1


def test_one_value_of_two_things_is_learnt_twice():
    """An equal number joins nothing by itself."""
    told = ("The otter-folder waits 30 seconds.", "The willow-loader waits 30 seconds.")
    assert len(texts([session(number, user(told[number % 2])) for number in range(4)])) == 2
