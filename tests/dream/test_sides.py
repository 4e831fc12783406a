"""A contradiction retires the right fact and no other: same thing, same place; users over tools, newer over older."""

from datetime import timedelta

import pytest

from agentflows.change import Change, Quote
from agentflows.dream.proposals import LATER, STAYS
from agentflows.dream.sides import weighed
from agentflows.memory import parse_entries
from agentflows.session import Trust
from tests.dream.told import learned, twice, user
from tests.lineage.conftest import AT, change, quote

RULE = "- Never push on Fridays"
ENTRY = parse_entries("/notes.md", f"{RULE}\n")[0].entry_id


def spoken(name: str, day: int, trust: Trust = 3) -> Quote:
    """What was said in that session on that day, by a user or a tool."""
    kind = "user" if trust == 3 else "tool_result"
    return quote(name).model_copy(update={"at": AT + timedelta(days=day), "trust": trust, "kind": kind})


def against(*quotes: Quote, after: str | None = "- Push on Fridays") -> Change:
    """A change that would replace the rule, or retire it."""
    names = [one.session_id for one in quotes]
    op = "supersede" if after else "retire"
    fields = {"entry_ids": (ENTRY,), "before": RULE, "quotes": quotes}
    return change(op, *names, after=after, trust=min(one.trust for one in quotes), **fields)


@pytest.mark.parametrize(
    ("said", "goes", "stays"),
    [
        (
            "The staging API listens on port 9443 now, not on port 8080.",
            "The staging API listens on port 8080.",
            "The production API listens on port 8080.",
        ),
        (
            "In winter the depot closes at 17:00 now, not at 16:00.",
            "In winter the depot closes at 16:00.",
            "In summer the depot closes at 16:00.",
        ),
        (
            "The carrier timeout is 20 seconds now, not 30 seconds.",
            "The carrier timeout is 30 seconds.",
            "The carrier timeout is 30 minutes for batch runs.",
        ),
        (
            "From now on the label queue in Lyon uses port 7001, not 7000.",
            "The label queue in Lyon uses port 7000.",
            "The label queue in Ghent uses port 7000.",
        ),
    ],
)
def test_another_place_season_or_unit_is_another_fact(said: str, goes: str, stays: str):
    """Of two entries that look alike, only the one that is contradicted is touched."""
    changes, _ = learned(twice(user(said)), {"/notes.md": f"# Notes\n\n- {goes}\n- {stays}\n"})
    assert [(one.op, one.before) for one in changes] == [("supersede", f"- {goes}")]


@pytest.mark.parametrize("after", ["- Push on Fridays", None])
def test_tools_do_not_take_the_place_of_what_a_user_said(after: str | None):
    """However many: it is put to a person, with what both sides rest on."""
    ours = [spoken("t1", 9, trust=1), spoken("t2", 10, trust=1)]
    theirs = [spoken("u1", 0)]
    [flag], refused = weighed([against(*ours, after=after)], {ENTRY: theirs})
    assert refused == []
    assert (flag.op, flag.after, flag.entry_ids, flag.before) == ("flag", None, (ENTRY,), RULE)
    assert {one.session_id for one in flag.quotes} == {"t1", "t2", "u1"}
    assert {"contradicts", "low_trust"} <= set(flag.risks)
    assert "A user's rule stands here" in flag.reason


def test_a_users_newer_word_wins_over_an_older_one_and_never_the_other_way():
    """Sessions read late, or again, do not bring an old choice back."""
    change = against(spoken("u2", 5))
    assert weighed([change], {ENTRY: [spoken("u1", 0)]}) == ([change], [])
    kept, [refusal] = weighed([change], {ENTRY: [spoken("u1", 0), spoken("u3", 30)]})
    assert kept == []
    assert refusal.gate == "older_statement"


OLD = "(until 2026-01-01: Never push)"


@pytest.mark.parametrize(
    ("text", "undated"),
    [
        ("- Push (until 2026-03-01: Never push on Fridays)", "- Push (before: Never push on Fridays)"),
        ("- Push (no longer since 2026-03-01: Never push)", "- Push (before: Never push)"),
        (
            "- Push. (since 2026-03-01; before, it was said otherwise)",
            "- Push. (before, it was said otherwise)",
        ),
        (f"- Push now {OLD}", f"- Push now {OLD}"),
        ("- Push (until 2026-03-01)", "- Push (until 2026-03-01)"),
    ],
)
def test_no_day_is_made_up_on_which_an_entry_of_unknown_age_ceased_to_hold(text: str, undated: str):
    """Old logs are read before memories are imported: the entry may be the newer of the two."""
    change = against(spoken("u2", 5), after=text).model_copy(
        update={"reason": f"{LATER}; 2 sessions show it. {STAYS}", "before": f"{RULE} {OLD}"}
    )
    [one], _ = weighed([change], {}, {ENTRY: AT + timedelta(days=9)})
    assert one.after == undated
    assert one.reason == (
        f"Users said otherwise, last on {AT + timedelta(days=5):%Y-%m-%d}; when the entry was written is not known (in the "
        f"store since {AT + timedelta(days=9):%Y-%m-%d}); 2 sessions show it. The old value stays."
    )
    assert weighed([change], {}, {ENTRY: AT}) == ([change], []), (
        "it stood there before anybody said otherwise"
    )
    assert weighed([change], {ENTRY: [spoken("u1", 0)]}) == ([change], []), (
        "it was said on a day, and earlier"
    )
    own = change.model_copy(update={"reason": "The rule changed."})
    assert weighed([own], {})[0][0].reason == "The rule changed. When the entry was written is not known."


def test_one_tool_does_not_overrule_what_a_person_wrote():
    """Two independent ones may speak: that is then held for a person by its risks."""
    [one], _ = weighed([against(spoken("t1", 9, trust=1))], {})
    assert one.op == "flag"
    two = against(spoken("t1", 9, trust=1), spoken("t2", 10, trust=1))
    assert weighed([two], {}) == ([two], [])


def test_what_tools_said_may_be_replaced_by_what_tools_say():
    """A path that moved is no user's rule."""
    moved = against(spoken("t2", 9, trust=1), spoken("t3", 9, trust=1))
    assert weighed([moved], {ENTRY: [spoken("t1", 0, trust=1)]}) == ([moved], [])


def test_a_flag_on_two_entries_quotes_both_and_is_raised_once():
    """Who is asked should see what each rests on."""
    other = "/notes.md#0123456789"
    flag = change("flag", entry_ids=(ENTRY, other), before="x", quotes=())
    [asked], _ = weighed([flag], {ENTRY: [spoken("u1", 0)], other: [spoken("u2", 3)]})
    assert [one.session_id for one in asked.quotes] == ["u1", "u2"]
    twice_over = weighed([against(spoken("t1", 9, trust=1)), against(spoken("t2", 9, trust=1))], {})
    assert len(twice_over[0]) == 1
