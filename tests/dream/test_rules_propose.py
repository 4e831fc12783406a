"""What a pattern means for a store: said already, wrong in part, superseded, or new."""

from datetime import date, datetime
from typing import Any

import pytest

from agentflows.change import Pattern
from agentflows.dream.engine import Nomination, Proposal
from agentflows.dream.rules import RulesEngine, understood
from agentflows.memory import Entry, parse_entries

DAY = datetime(2026, 3, 1)  # noqa: DTZ001 - the words hold naive UTC
ENGINE = RulesEngine(today=date(2026, 4, 1))
SESSIONS = ("s1", "s2", "s3")


def pattern(claim: str, **more: Any) -> Pattern:
    fields: dict[str, Any] = {
        "pattern_id": "pat_1",
        "key": "error|wrap npm|unrecognized|",
        "kind": "error",
        "subject": "wrap npm",
        "attribute": "error: unrecognized subcommand <str>",
        "claim": claim,
        "sessions": SESSIONS,
        "origins": 3,
        "trust": 1,
        "first_at": DAY,
        "last_at": DAY,
        "quotes": (),
    }
    return Pattern.model_validate(fields | more)


BROKEN = pattern(
    "`wrap npm` fails: unrecognized subcommand …. The same command without `wrap` runs: `npm run build`.",
    value="npm …",
)


def rule(claim: str, **more: Any) -> Pattern:
    return pattern(claim, kind="preference", subject="rule", attribute="asked for", user_origins=1, **more)


def entries(text: str) -> list[Entry]:
    return parse_entries("/notes.md", text)


def propose(found: Pattern, text: str = "", instructions: str = "") -> Proposal | None:
    return ENGINE.propose(found, entries(text), instructions)


def test_a_note_that_prescribes_what_fails_keeps_its_bytes_and_gains_the_exception():
    """The note is right about all else; deleting it would lose that."""
    note = "**Always prefix commands with `wrap`**. It is always safe to use."
    made = propose(BROKEN, f"# Tools\n\n{note}\n")
    assert made is not None
    assert made.op == "narrow"
    assert made.after == (
        f"{note}\n**Exception:** `wrap npm` fails: unrecognized subcommand …. Run `npm …` directly. "
        "(seen in 3 sessions, last on 2026-03-01)"
    )


def test_an_exception_to_a_list_item_stays_inside_the_item():
    """A line without indent would end the list."""
    made = propose(BROKEN, "- Always run `wrap npm install` first.\n")
    assert made is not None
    assert made.after is not None
    assert made.after.startswith("- Always run `wrap npm install` first.\n  **Exception:** `wrap npm` fails")


def test_a_note_that_only_mentions_the_program_is_left_alone():
    """`wrap` in a list of tools tells nobody to put it before everything."""
    made = propose(BROKEN, "- `wrap` shortens output.\n")
    assert made is not None
    assert made.op == "add"


def test_the_same_dream_again_adds_nothing():
    """What was written is found again and reinforced, whatever the counts are by then."""
    first = propose(BROKEN)
    assert first is not None
    assert first.after is not None
    again = BROKEN.model_copy(update={"sessions": (*SESSIONS, "s4")})
    second = propose(again, first.after)
    assert second is not None
    assert second.op == "reinforce"
    narrowed = propose(BROKEN, "Always prefix with `wrap`.\n")
    assert narrowed is not None
    assert narrowed.after is not None
    third = propose(again, narrowed.after)
    assert third is not None
    assert third.op == "reinforce"


def test_a_newer_value_supersedes_and_the_old_one_stays_with_its_date():
    """Who reads it later must be able to see what held when."""
    made = propose(
        rule("Wait 30 s between retries of the carrier."), "- Wait 10 s between retries of the carrier.\n"
    )
    assert made is not None
    assert made.op == "supersede"
    assert made.after == (
        "- Wait 30 s between retries of the carrier. (until 2026-03-01: Wait 10 s between retries of the carrier)"
    )


@pytest.mark.parametrize(
    ("claim", "note"),
    [
        ("Wait 30 s between retries on staging.", "Wait 10 s between retries on production."),
        ("Deploy `api` before you announce it.", "Deploy `web` before you announce it."),
        (
            "The cache lives for 30 minutes in the browser.",
            "The worker restarts after 10 minutes of silence.",
        ),
    ],
)
def test_another_thing_is_not_another_value(claim: str, note: str):
    """Different places and different names are different statements."""
    made = propose(rule(claim), f"- {note}\n")
    assert made is not None
    assert made.op == "add"


def test_what_tools_said_supersedes_nothing():
    """Only a user knows that a value changed."""
    fact = pattern("The API listens on port 9443.", kind="fact", subject="api", attribute="listen port")
    made = propose(fact, "- The API listens on port 8080.\n")
    assert made is not None
    assert made.op == "add"


def test_a_new_lesson_goes_to_its_own_file_under_its_kind():
    """One place to look, unless an entry is about the very same thing."""
    made = propose(BROKEN, "- Bread is baked on Mondays.\n")
    assert made is not None
    assert (made.op, made.path, made.heading) == ("add", "/learned.md", "Errors and what fixes them")
    assert made.after == (
        "- `wrap npm` fails: unrecognized subcommand …. The same command without `wrap` runs: `npm run build`. "
        "(seen in 3 sessions, last on 2026-03-01)"
    )


def test_the_checks_a_section_lists_are_reinforced_together():
    """A list of hook steps says in three items what a workflow says in one sentence."""
    work = pattern(
        "Run `x test` and `x lint` before `git commit`, as sessions do.",
        kind="workflow",
        subject="git commit",
        attribute="checked first",
    )
    made = propose(work, "## Pre-commit hook\n\nIt runs:\n- `x test` - must pass\n- `x lint` - must pass\n")
    assert made is not None
    assert made.op == "reinforce"
    assert len(made.entry_ids) == 2


def test_a_correction_stays_with_its_work():
    """Rules cannot tell what it means for other work."""
    assert (
        propose(pattern("It should be below.", kind="correction", subject="x", attribute="corrected")) is None
    )


def test_an_error_that_nothing_fixed_is_not_written_down():
    """It gives the reader nothing to do."""
    assert propose(pattern("`book` fails: no seats.", subject="book", attribute="no seats")) is None


def test_simple_instructions_are_followed():
    """`ignore`, `only` and `focus on` are words that code can keep to."""
    assert propose(BROKEN, instructions="Ignore npm.") is None
    assert propose(BROKEN, instructions="Only git and docker.") is None
    assert propose(BROKEN, instructions="Focus on npm.") is not None


def test_instructions_that_rules_cannot_follow_are_said_so():
    """Silence would look like obedience."""
    read = understood("Ignore anything about styling. Write in the tone of a pirate.")
    assert read.followed == ("Ignore anything about styling.",)
    assert read.not_followed == ("Write in the tone of a pirate.",)
    assert any("pirate" in note for note in ENGINE.notes("Write in the tone of a pirate."))


def test_same_needs_nearly_the_same_words_and_no_other_number():
    """Requests in other words are one; retries of 30 s and 10 s are two."""
    ask = {"kind": "workflow", "attribute": "asked for"}
    one = pattern("Users ask to “commit and update changelog”.", subject="changelog commit updat", **ask)
    two = pattern("Users ask to “update changelog”.", subject="changelog updat", **ask)
    assert ENGINE.same([(one, two)]) == [True]
    wait = rule("Wait 30 s between retries.", key="a").model_copy(update={"subject": "wait between retries"})
    other = wait.model_copy(update={"claim": "Wait 10 s between retries."})
    never = wait.model_copy(update={"claim": "Never wait 30 s between retries."})
    assert ENGINE.same([(wait, other), (wait, never), (wait, wait)]) == [False, False, True]


def prune(text: str) -> list[Proposal]:
    return ENGINE.prune([Nomination(entries=tuple(entries(text)), why="alike")], "")


def test_duplicates_merge_into_the_fuller_text():
    """Nothing that only one of them says is lost."""
    (made,) = prune("- Store all times in UTC.\n- All times are to be stored in UTC.\n")
    assert made.op == "merge"
    assert made.after == "- All times are to be stored in UTC."


def test_two_values_for_one_thing_are_flagged():
    """Which of them holds, a person knows."""
    (made,) = prune("- The carrier timeout is 30 seconds.\n- The carrier timeout is 10 seconds.\n")
    assert made.op == "flag"
    assert "30 in one, 10 in the other" in made.reason or "10 in one, 30 in the other" in made.reason


@pytest.mark.parametrize(
    "text",
    [
        "- Deploy to staging on port 1.\n- Deploy to production on port 1.\n",
        "- `agent` must be in the path.\n- `codex` must be in the path.\n",
        "**Solution:**\n\n**Solution:**\n",
        "- Never delete tenants of production data.\n",
        "- (until 2026-01-01: Wait 10 s between retries)\n",
    ],
)
def test_what_only_looks_alike_stays(text: str):
    """Environments, names, labels, rules nobody used and dates of older values are no reason to prune."""
    assert prune(text) == []


def test_a_past_end_date_retires_a_sentence_and_flags_a_paragraph():
    """The entry says itself that it is over."""
    assert [made.op for made in prune("- Deploys are frozen until 2026-03-15.\n")] == ["retire"]
    assert [made.op for made in prune("- Deploys go through Ana until 2026-03-15. Then ask Bo.\n")] == [
        "flag"
    ]
    assert prune("- Deploys are frozen until 2026-05-15.\n") == []
