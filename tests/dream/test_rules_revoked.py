"""What users take back is believed no more, and what they say later takes the place of what a memory says."""

import pytest

from tests.dream.told import agent, bash, learned, session, texts, user


def words(*told: str, files: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
    """What a dream makes of sentences said days apart: operations with texts, and gates of what it refused."""
    sessions = [
        session(number * 3, agent(), bash("npm install"), user(text)) for number, text in enumerate(told, 1)
    ]
    changes, refused = learned(sessions, files)
    written = [f"{one.op}: {(one.after or '').removeprefix('- ').split(' (s')[0]}" for one in changes]
    return sorted(written), [one.gate for one in refused]


@pytest.mark.parametrize(
    ("rule", "later"),
    [
        ("Always use pnpm, never npm.", "You may use npm again."),
        (
            "Always ask me before you run migrations.",
            "You don't need to ask before running migrations anymore.",
        ),
        ("Nie direkt auf main pushen.", "Du darfst jetzt wieder direkt auf main pushen."),
        ("Ne pousse jamais sur main.", "Tu peux maintenant pousser sur main, pousse directement."),
    ],
)
def test_a_rule_that_was_taken_back_is_not_written(rule: str, later: str):
    """Nor is the leave itself, where no rule stands that it lifts."""
    written, gates = words(rule, later)
    assert written == []
    assert "taken_back" in gates
    assert words(rule)[0] == [f"add: {rule}"]


def test_a_rule_said_again_after_it_was_taken_back_holds():
    """Only what was said before is over."""
    rule = "Never push to main."
    written, _ = words(rule, "You may push to main again.", "Never push to main, really.")
    assert written == ["add: Never push to main, really."]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Never commit to main.", "Always commit with a ticket number."),
        ("Never use var in new code.", "Always use const or let."),
        ("Never push without asking me.", "Always ask me first before you push."),
        ("Never edit migrations.", "Remember to run migrations after you edit models."),
        ("Always write tests.", "Never write tests against the live API."),
    ],
)
def test_rules_that_can_both_be_kept_both_stay(one: str, other: str):
    """That two rules share words, and one of them forbids, is no contradiction."""
    assert words(one, other)[0] == sorted([f"add: {one}", f"add: {other}"])


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("Never push to main.", "You may push to main again."),
        ("Never push to main.", "From now on you can push to main directly."),
        ("Use npm for package management.", "From now on use pnpm instead of npm."),
    ],
)
def test_a_note_that_a_user_overrules_gives_way(note: str, said: str):
    """And its order does not stay beside the new one, where it could be read as one."""
    (change,), _ = learned([session(5, agent(), user(said))], {"/notes.md": f"# Rules\n\n- {note}\n"})
    assert change.op == "supersede"
    assert change.after == f"- {said} (since 2026-03-06; before, it was said otherwise)"
    assert "contradicts" in change.risks


@pytest.mark.parametrize(
    "stamp", ["(said in 2 sessions, last on 2026-02-22)", "(said in 3 sessions from 2 sources)"]
)
@pytest.mark.parametrize(
    ("learned_before", "said", "held"),
    [
        ("Never push to main.", ["You may push to main again."], "before, it was said otherwise"),
        ("Always squash commits.", ["Never squash commits."], "before, it was said otherwise"),
        (
            "The release window is 14 days.",
            ["The release window is 21 days now.", "The release window is 21 days."],
            "until 2026-03-06: The release window is 14 days",
        ),
    ],
)
def test_a_lesson_that_a_dream_wrote_gives_way_like_any_note(
    learned_before: str, said: list[str], held: str, stamp: str
):
    """Its count of sessions says what it rests on. Both values would stand side by side if that were read as what it says."""
    told = [session(5 + day, agent(), user(text)) for day, text in enumerate(said)]
    (change,), _ = learned(told, {"/learned.md": f"# Learned\n\n- {learned_before} {stamp}\n"})
    assert change.op == "supersede"
    assert held in (change.after or "")


@pytest.mark.parametrize(
    ("stands", "said"),
    [
        (
            "The release window is 21 days. (until 2026-02-26: The release window is 14 days)",
            "The release window is 28 days.",
        ),
        (
            "The release window is 21 days. (until 2026-02-26: The release window is 14 days)",
            "The release window is 14 days.",
        ),
        ("The API port is 9443 now, not 8080. (before: The API port is 8080)", "The API port is 7000."),
        ("Never squash commits. (since 2026-02-26; before, it was said otherwise)", "Always squash commits."),
        ("Use npm, not pnpm. (since 2026-02-26; before, it was said otherwise)", "Use pnpm, not npm."),
    ],
)
def test_what_took_an_entrys_place_gives_way_in_its_turn(stands: str, said: str):
    """Also to what it took the place of: a value that is over is not said again by the entry that keeps it as a remark."""
    told = [session(5 + day, agent(), user(said)) for day in range(2)]
    (change,), _ = learned(told, {"/learned.md": f"# Learned\n\n- {stands}\n"})
    assert change.op == "supersede"
    assert (change.after or "").startswith(f"- {said} (")


def test_a_value_that_comes_back_ends_the_other_on_the_day_it_came_back():
    """Not on the day on which it was said for the first time: then the other had not been said."""
    told = [session(day, agent(), user("The release window is 14 days.")) for day in (1, 2, 20, 21)]
    entry = "The release window is 28 days. (until 2026-03-10: The release window is 21 days)"
    (change,), _ = learned(told, {"/learned.md": f"# Learned\n\n- {entry}\n"})
    assert "(until 2026-03-21: The release window is 28 days)" in (change.after or "")


@pytest.mark.parametrize(
    "stands", ["Use pnpm, not npm.", "Use pnpm instead of npm.", "From now on use pnpm instead of npm."]
)
def test_the_other_choice_of_the_same_two_is_no_support(stands: str):
    """It has the same words, and says the opposite."""
    told = [session(5 + day, agent(), user("Use npm, not pnpm.")) for day in range(2)]
    (change,), _ = learned(told, {"/learned.md": f"# Learned\n\n- {stands}\n"})
    assert change.op == "supersede"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("Push to main after review.", "Never push without running the tests."),
        ("We publish our packages to the npm registry.", "From now on use pnpm instead of npm."),
        ("Do not use npm; use pnpm.", "From now on use pnpm instead of npm."),
        ("Don't add comments to tests.", "Always add comments to public functions."),
        ("The dev server runs on port 3000.", "Always start the dev server on port 5173 in CI."),
    ],
)
def test_a_note_about_something_else_stays(note: str, said: str):
    """Shared words are not the same thing."""
    changes, _ = learned([session(5, agent(), user(said))], {"/notes.md": f"# Rules\n\n- {note}\n"})
    assert [one.op for one in changes] == ["add"]


@pytest.mark.parametrize(
    ("note", "said", "again"),
    [
        (
            "The dev server runs on port 3000.",
            "no, the dev server is on 5173 now",
            "The dev server listens on 5173.",
        ),
        ("Node version: 18.", "We are on Node 22 now.", "We are on Node 22."),
        (
            "The default branch is main.",
            "Our default branch is called develop, not main.",
            "The default branch is develop, not main.",
        ),
    ],
)
def test_a_value_said_in_other_words_is_the_same_value(note: str, said: str, again: str):
    """How a thing has its value differs from speaker to speaker."""
    sessions = [session(1, agent(), user(said)), session(2, agent(), user(again))]
    (change,), _ = learned(sessions, {"/notes.md": f"# Facts\n\n- {note}\n"})
    assert change.op == "supersede"
    assert f"until 2026-03-02: {note.rstrip('.')}" in (change.after or "") or "no longer since" in (
        change.after or ""
    )


def test_paraphrases_of_one_wish_are_counted_together():
    """`never`, `do not` and `no … please` deny alike."""
    sessions = [
        session(1, agent(), user("don't add comments to the code")),
        session(2, agent(), user("please do not add code comments")),
        session(3, agent(), user("No comments in the code please.")),
    ]
    (change,), _ = learned(sessions)
    assert change.support == 3
    assert texts(sessions[:1]) == []


@pytest.mark.parametrize(
    ("rule", "later"),
    [
        ("Always use pnpm, never npm.", "We went back to npm, pnpm was a mistake."),
        ("From now on use tabs for indentation.", "Use spaces for indentation after all."),
        ("Always add a changelog entry.", "We no longer keep a changelog."),
        ("Always add a changelog entry.", "Drop the changelog entry, we don't do that anymore."),
        ("Always write commit messages in German.", "Ignore my earlier rule about German commit messages."),
        ("Immer pnpm statt npm verwenden.", "Doch wieder npm verwenden, pnpm war ein Fehler."),
        ("Utilise toujours pnpm.", "pnpm était une erreur, on revient à npm."),
    ],
)
def test_a_rule_that_a_user_went_back_on_is_not_written(rule: str, later: str):
    """People rarely say `you may again`; said in two sessions, such a rule was committed with nobody looking."""
    written, gates = words(rule, rule, later)
    assert written == []
    assert "taken_back" in gates
    assert words(later, rule)[0] == [f"add: {rule}"]


@pytest.mark.parametrize(
    ("rule", "later"),
    [
        ("Always run the linter before committing.", "Use the linter after all."),
        ("Always run the linter before committing.", "We no longer see the linter error."),
        ("Always deploy from the release branch.", "We don't deploy on Fridays any more."),
        ("Always use pnpm, never npm.", "We no longer use npm."),
        ("Always use pnpm, never npm.", "We went back to pnpm, npm was a mistake."),
        ("Never use tabs for indentation.", "Use spaces for indentation after all."),
        ("Always run the tests before pushing.", "That test was a mistake."),
        ("Always add a changelog entry.", "I don't see the changelog entry anymore."),
        ("Never push to main.", "Forget about the header, fix the footer."),
        ("Immer die Tests laufen lassen.", "Die Tests laufen nicht mehr."),
    ],
)
def test_words_that_go_back_on_something_else_take_no_rule_back(rule: str, later: str):
    """Only what they name is over."""
    assert f"add: {rule}" in words(rule, later)[0]


def test_an_entry_that_a_user_went_back_on_is_put_to_a_person():
    """The words are too far from its own to take its place; said by nobody, it would stand for ever."""
    told = [session(5, agent(), user("We no longer keep a changelog."))]
    (flag,), _ = learned(told, {"/notes.md": "# Rules\n\n- Always add a changelog entry.\n"})
    assert flag.op == "flag"
    assert "“We no longer keep a changelog.”, which goes back on it" in flag.reason
