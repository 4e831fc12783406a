"""A rule that an entry or another lesson is contrary to is never committed unseen, in whatever words and order they came."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentflows.dream.contrary import contrary
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit
from agentflows.session import Session
from tests.dream.told import agent, learned, session, user

NEVER = "Never push to main directly."
MAY = "From now on you may push to main directly."


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("Never deploy on Fridays.", "You may deploy on Fridays again since 2026-11-01."),
        ("Never deploy on Fridays.", "Deploying on Fridays is allowed since November."),
        ("Never deploy on Fridays.", "You may deploy on Fridays only after approval."),
        ("Never deploy on Fridays.", "We deploy from CI. Deploying on Fridays is fine. Ask ops."),
        ("Please never ever deploy anything on Fridays.", "Deploying on Fridays is allowed since November."),
        ("Nie freitags deployen.", "Ab dem 01.11.2026 darf man freitags deployen."),
        (NEVER, MAY),
        ("Squash commits before merging.", "Never squash commits before merging."),
        ("Never commit generated files.", "Generated files are committed."),
    ],
)
def test_one_forbids_what_the_other_allows(rule: str, other: str):
    """Dates, asides and words such as `again` say nothing of what is ordered."""
    assert contrary(rule, other)
    assert contrary(other, rule)


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("Never push without asking me.", "Always ask me first before you push."),
        ("Always write tests.", "Never write tests against the live API."),
        ("Never push to main.", "Run the tests before you push to main."),
        ("Never push to main.", "When you push to main, tell ops."),
        ("Never push to main before review.", "Push to main after review."),
        ("Don't add comments to tests.", "Always add comments to public functions."),
        ("Never log to stdout in production.", "Log to stdout in staging."),
        ("Never commit secrets to git.", "Commit the lockfile to git."),
        ("Use pnpm, not npm.", "Never use npm."),
        ("Never deploy on Fridays.", "Do not deploy on Fridays; deploy on Mondays."),
        ("Deploy on Mondays.", "Only deploy on Mondays."),
    ],
)
def test_rules_that_can_both_be_kept_are_not_contrary(rule: str, other: str):
    """What waits for no reason teaches people to approve without reading."""
    assert not contrary(rule, other)
    assert not contrary(other, rule)


def undated(one: Session) -> Session:
    """The session as a message log has it, which names no day."""
    turns = tuple(replace(turn, at=None) for turn in one.turns)
    return one.model_copy(update={"started_at": None, "turns": turns})


def test_the_newer_of_two_rules_is_not_doubted_for_the_older():
    """Where the days are known, the later word counts; where they are not, nobody knows which was later."""
    older, newer = "Always deploy on Fridays when QA is done.", "Never deploy on Fridays."
    told = [session(day, agent(), user(text)) for day, text in enumerate((older, older, newer, newer), 1)]
    assert doubted(told) == {older}
    assert doubted([undated(one) for one in told]) == {older, newer}
    assert doubted([undated(told[0]), *told[1:]]) == {older, newer}, "one of them may be the newest of all"


def doubted(sessions: Sequence[Session]) -> set[str]:
    """The rules of which it is said that something is contrary to them."""
    return {
        str(one.after).removeprefix("- ").split(" (")[0]
        for one in learned(sessions)[0]
        if "contradicts" in one.risks
    }


def test_auto_commits_no_rule_that_something_else_is_contrary_to(home: Home, tmp_path: Path):
    """A log without days, and a person's entry of which the sessions know nothing: which holds, a person must say."""
    home.state.create_store("team", actor=home.actor())
    entry = "# Notes\n\n- You may deploy on Fridays again since 2026-11-01.\n"
    home.state.commit(
        "team",
        [MemoryEdit(path="/CLAUDE.md", content=entry, expected_sha256=None)],
        base_version=None,
        actor=home.actor(),
    )
    said = (
        NEVER,
        NEVER,
        MAY,
        MAY,
        "Never deploy on Fridays.",
        "Never deploy on Fridays.",
        *["Always sort the imports."] * 2,
    )
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps(_record(number, text)) for number, text in enumerate(said)))
    ingest_files(home, [log])
    report = dream_over(home, DreamRequest(store="team", engine="rules", commit="auto"))
    found = {str(one.after).removeprefix("- ").split(" (")[0]: one for one in report.changes}
    for text in (NEVER, MAY, "Never deploy on Fridays."):
        assert found[text].status == "held"
        assert "contradicts" in found[text].risks
    assert (
        "“You may deploy on Fridays again since 2026-11-01.” (/CLAUDE.md)"
        in found["Never deploy on Fridays."].reason
    )
    assert "says otherwise" in found["Never deploy on Fridays."].status_reason
    assert found["Always sort the imports."].status == "committed"


def _record(number: int, text: str) -> dict[str, object]:
    told = ((f"Fix ticket {number}.", "Fixed."), (text, "Ok."))
    turns = [
        {"role": role, "content": words}
        for pair in told
        for role, words in zip(("user", "assistant"), pair, strict=True)
    ]
    return {"id": f"s{number}", "messages": turns}
