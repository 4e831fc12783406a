"""Validity: from when to when an entry was true, when it was last confirmed, what took its place, what was believed when."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Change, ChangeOp, Quote
from agentflows.dream.lapsing import ends, starts
from agentflows.errors import NotFoundError, UsageError
from agentflows.lineage import Ages, Recheck, Records, Validity, forget, queue
from agentflows.memory import sha256
from agentflows.session import Session, SourceRead, Trust, Turn
from tests.lineage.conftest import AT, NOTES, Desk, change, pattern

PORT, NEW = "- The port is 8080", "- The port is 9090"


def said(desk: Desk, name: str, text: str, day: int = 0, trust: Trust = 3) -> Quote:
    """A session on that day in which this was said, in the archive, and its quote."""
    at = AT + timedelta(days=day)
    turn = Turn(seq=0, kind="user" if trust == 3 else "tool_result", trust=trust, text=text, at=at)
    session = Session(session_id=name, format="messages", reader="messages/1", started_at=at, turns=(turn,))
    desk.home.archive.add(
        [
            SourceRead(
                file=f"{name}.json",
                sha256=sha256(name),
                format="messages",
                lines=1,
                accepted=1,
                sessions=(session,),
            )
        ]
    )
    return Quote(
        session_id=name,
        seq=0,
        start=0,
        end=len(text),
        text=text,
        sha256=sha256(text),
        trust=trust,
        kind=turn.kind,
        root_id=name,
        origin=f"{name}:0",
        at=at,
    )


def by(op: ChangeOp, *quotes: Quote, **fields: Any) -> Change:
    """A held change that rests on these quotes."""
    names = [quote.session_id for quote in quotes]
    return change(op, *names, quotes=quotes, trust=min(quote.trust for quote in quotes), **fields)


def ages(desk: Desk) -> Ages:
    return Ages(Records(desk.state, desk.state.get_store("team")))


def age(desk: Desk, words: str) -> Validity:
    found = ages(desk)
    return found.of(found.named(words))


def due(desk: Desk, today: date = date(2026, 11, 1)) -> list[Recheck]:
    return queue(Records(desk.state, desk.state.get_store("team")), desk.home.archive, today=today)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Since 2026-03-01 the port is 9090.", "2026-03-01", ""),
        ("As of March 2026 we deploy on Mondays, until 15 June 2026.", "2026-03-01", "2026-06-15"),
        ("Der Port gilt seit dem 01.03.2026 bis zum 31.05.2026.", "2026-03-01", "2026-05-31"),
        ("Effective from May 3rd, 2026 use pnpm.", "2026-05-03", ""),
        ("until 2026-01-01: 30 seconds", "", ""),
        ("Since then it holds until further notice.", "", ""),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, first: str, last: str):
    """What a date is put to decides: `until …:` dates an older value, `since then` names no day."""
    assert [str(day) for day in starts(text)] == ([first] if first else [])
    assert [str(day) for day in ends(text)] == ([last] if last else [])


def test_an_entrys_own_words_date_it(desk: Desk):
    """They are what a reader of the memory sees."""
    desk.write({"/notes.md": "- Since 2026-03-01 the old gate is closed, until 2026-09-30.\n"})
    found = age(desk, "old gate")
    assert (found.valid_from, found.valid_to) == (date(2026, 3, 1), date(2026, 9, 30))
    assert (found.from_why, found.to_why, found.last_confirmed) == ("its own words", "its own words", None)


def test_what_a_user_said_dates_an_entry_and_a_tool_does_not(desk: Desk):
    """A certificate's expiry in some log is not the end of a rule."""
    user = said(desk, "s1", "Use the blue queue until 2026-10-15, please.")
    tool = said(desk, "s2", "expires on 2020-01-01", trust=1)
    desk.approve(1, by("add", user, tool, after="- Use the blue queue"))
    found = age(desk, "blue queue")
    assert (found.valid_to, found.to_why) == (date(2026, 10, 15), "what the user said at s1#0")
    assert found.valid_from == AT.date()


def test_more_evidence_confirms_anew(desk: Desk):
    """The entry's text stays, and so does the day it was first said."""
    desk.approve(1, by("add", said(desk, "s1", "We use one."), after="- We use one"))
    name = desk.entry_id("- We use one")
    later = said(desk, "s2", "As always, we use one.", day=40)
    desk.approve(2, by("reinforce", later, entry_ids=(name,), before="- We use one"))
    found = age(desk, "use one")
    assert found.valid_from == AT.date()
    assert found.last_confirmed == AT + timedelta(days=40)


def test_a_replaced_fact_keeps_its_interval_and_what_took_its_place(desk: Desk):
    """It was true until the new one was said, and the store said it until that was committed."""
    desk.approve(1, by("add", said(desk, "s1", "The limit is 10."), after="- The limit is 10"))
    name = desk.entry_id("- The limit is 10")
    newer = said(desk, "s2", "The limit is 20 now.", day=30)
    one = by("supersede", newer, entry_ids=(name,), before="- The limit is 10", after="- The limit is 20")
    desk.approve(2, one)
    old, new = ages(desk).chain(ages(desk).named("limit is 10"))
    assert (old.text, old.valid_from, old.valid_to) == (
        "- The limit is 10",
        AT.date(),
        AT.date() + timedelta(days=30),
    )
    assert (old.last_version, old.replaced_by, old.replaced_by_change) == (3, new.text, one.change_id)
    assert (new.text, new.valid_from, new.valid_to, new.stands) == (
        "- The limit is 20",
        AT.date() + timedelta(days=30),
        None,
        True,
    )


def test_an_edit_by_hand_is_told_where_one_line_took_anothers_place(desk: Desk):
    """Where several came and went at once, nobody knows which replaced which, and nothing is claimed."""
    desk.write({"/notes.md": NOTES.replace("8080", "9090")})
    assert age(desk, "8080").replaced_by == NEW
    desk.write({"/notes.md": "# Notes\n\n- Another\n- And one more\n"})
    assert age(desk, "9090").replaced_by == ""


def test_an_answered_flag_names_what_was_kept(desk: Desk):
    """The dropped entry was replaced by the one the person chose."""
    first, second = "- Times are UTC", "- All times are in UTC"
    names = (desk.entry_id(first), desk.entry_id(second))
    dream_id = desk.dream(1, change("flag", entry_ids=names, before=f"{first}\n\n{second}", quotes=()))
    review.approve(desk.state, dream_id, reviewer="ada", only=["1"], resolve={"1": "keep-second"})
    assert age(desk, names[0]).replaced_by == second


def test_a_restore_brings_the_old_interval_back(desk: Desk):
    """An undone change replaces nothing."""
    desk.approve(
        1,
        by(
            "supersede",
            said(desk, "s1", "It is 9090."),
            entry_ids=(desk.entry_id(PORT),),
            before=PORT,
            after=NEW,
        ),
    )
    desk.state.restore("team", 1, actor=desk.home.actor("ada"))
    found = age(desk, "8080")
    assert (found.stands, found.valid_to, found.replaced_by) == (True, None, "")


def test_forgetting_a_session_takes_its_dates_with_it(desk: Desk):
    """What it confirmed is confirmed by the others alone."""
    quotes = [said(desk, name, "We use one.", day) for name, day in (("s1", 0), ("s2", 10), ("s3", 40))]
    desk.approve(
        1,
        by("add", *quotes, after="- We use one", pattern_id="pat_1"),
        patterns=[pattern("s1", "s2", "s3")],
    )
    forget(desk.state, desk.home.archive, "s3", actor=desk.home.actor("ada"))
    assert age(desk, "use one").last_confirmed == AT + timedelta(days=10)


def test_an_entry_is_named_among_all_that_ever_stood(desk: Desk):
    """Also when it is long gone; several are listed."""
    desk.write({"/notes.md": "# Notes\n"})
    assert age(desk, "tests run with make").last_version == 2
    with pytest.raises(UsageError, match="fits 2 entries"):
        ages(desk).named("UTC")
    with pytest.raises(NotFoundError, match="ever was called"):
        ages(desk).named("nowhere")


# -- the queue --------------------------------------------------------------------------------------


def test_nothing_is_due_for_being_old_or_unused(desk: Desk):
    """Years later, with no session about it, an entry is still what somebody wrote."""
    desk.approve(
        1, by("add", said(desk, "s1", "Never delete the ledger."), after="- Never delete the ledger")
    )
    assert due(desk, date(2036, 1, 1)) == []


def test_what_a_user_ended_is_due_the_day_after(desk: Desk):
    """With the words that end it."""
    quote = said(desk, "s1", "Use the blue queue until 2026-10-15.")
    desk.approve(1, by("add", quote, after="- Use the blue queue"))
    assert due(desk, date(2026, 10, 15)) == []
    [one] = due(desk, date(2026, 10, 16))
    assert (one.due, one.sessions, [quote.text for quote in one.quotes]) == ("lapsed", ("s1",), [quote.text])


def test_evidence_that_is_gone_makes_an_entry_due(desk: Desk):
    """A session that left the archive proves nothing any more; what is left is counted."""
    quotes = [said(desk, name, f"We use one, says {name}.") for name in ("s1", "s2")]
    desk.approve(1, by("add", *quotes, after="- We use one"))
    assert due(desk) == []
    desk.home.archive.remove(["s1"])
    [one] = due(desk)
    assert (one.due, one.sessions) == ("evidence_gone", ("s2",))
    assert "s1 is not in the archive as it was quoted; 1 session left" in one.why


def test_one_voice_against_makes_an_entry_due(desk: Desk):
    """Too little to change it, enough to look."""
    quotes = [said(desk, name, "The limit is 10.") for name in ("s1", "s2")]
    fields = {"pattern_id": "pat_1", "pattern_key": "fact|limit|value|"}
    counted = pattern("s1", "s2", key="fact|limit|value|", sessions_against=("s9",))
    desk.approve(1, by("add", *quotes, after="- The limit is 10", **fields), patterns=[counted])
    [one] = due(desk)
    assert (one.due, one.sessions) == ("contradicted_once", ("s9",))


def test_newer_work_on_the_subject_makes_an_old_entry_due(desk: Desk):
    """Those sessions could have confirmed it: they are where to look."""
    fields = {"pattern_key": "fact|carrier gateway|timeout|"}
    desk.approve(
        1, by("add", said(desk, "s1", "The carrier gateway waits 30 s."), after="- It waits 30 s", **fields)
    )
    said(desk, "s2", "Unrelated.", day=200)
    said(desk, "s4", "Please look at the carrier gateway.", day=60)
    assert due(desk) == []
    said(desk, "s3", "Please look at the carrier gateway again.", day=200)
    [one] = due(desk)
    assert (one.due, one.sessions) == ("old", ("s3",))


def test_what_was_believed_on_a_day_can_be_asked(desk: Desk):
    """By the version in force then, not by what is known now."""
    before = datetime.now() - timedelta(days=1)  # noqa: DTZ005
    desk.write({"/notes.md": NOTES.replace("8080", "9090")})
    stood = [one for one in ages(desk).stood if one.path == "/notes.md"]
    now = max(one.since for one in stood)
    assert {one.text for one in stood if one.at(now)} >= {NEW}
    assert PORT not in {one.text for one in stood if one.at(now)}
    assert not [one for one in stood if one.at(before)]
