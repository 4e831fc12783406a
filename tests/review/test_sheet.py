"""A sheet of waiting changes: a person can read it however long it is, and pick from it in few words."""

from typing import Any

import pytest

from agentflows.change import Change, DreamReport
from agentflows.dream import in_brief, in_full
from agentflows.errors import UsageError
from agentflows.memory import MemoryStore
from agentflows.review import Sheet, artifact_pages, counts, form_page, picked, question, ranges, sheet
from agentflows.review.sheet import PAGE
from agentflows.store import State
from tests.store.samples import ADA, change, quote, report

FLAG = "- The limit is 30 seconds.\n\n- The limit is 45 seconds."
NASTY = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> ![a](http://example.com/a.png) [b](javascript:alert(1)) "
    "**bold** `code` | cell | https://example.com \u202egnp.exe\u200b\U000e0041 \x1b[31mred # heading"
)
"""What a transcript may hold to forge a page or to have it fetch something."""


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> MemoryStore:
    with State(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}") as state:
        return state.create_store("team", actor=ADA)


def dream(store: MemoryStore, *changes: Change) -> DreamReport:
    return report(store, changes)


def some(count: int, **fields: Any) -> list[Change]:
    return [change(after=f"- Fact {number}", **fields) for number in range(count)]


def flag() -> Change:
    return change("flag", path="/CLAUDE.md", before=FLAG, entry_ids=("/CLAUDE.md#a", "/CLAUDE.md#b"))


def mixed(store: MemoryStore) -> DreamReport:
    """1-2 without a risk, 3 of low trust, 4 a flag, 5 that deletes and acts, 6 decided already."""
    return dream(
        store,
        *some(2),
        change(after="- Third", risks=("low_trust",)),
        flag(),
        change("retire", path="/old.md", before="- Fifth", risks=("deletes", "action_bearing")),
        change(after="- Sixth", status="committed"),
    )


def numbered(found: DreamReport) -> dict[int, Change]:
    return dict(enumerate(found.changes, 1))


def pick(found: DreamReport, words: str, **more: Any) -> list[int]:
    waiting = [number for number, one in numbered(found).items() if one.status == "held"]
    return picked(words, numbered(found), among=waiting, **more)


def test_the_gravest_risk_comes_first_and_every_change_once(store: MemoryStore):
    """What needs the closest look is read while the reader is fresh."""
    found = sheet(mixed(store))
    assert [(group.name, group.numbers) for group in found.groups] == [
        ("flags", (4,)),
        ("deletes", (5,)),
        ("low trust", (3,)),
        ("no risk", (1, 2)),
    ]
    assert found.pages == [(4, 5, 3, 1, 2)]


def test_pages_by_file_keep_a_file_together(store: MemoryStore):
    """Some review a file as a whole."""
    found = sheet(mixed(store), "file")
    assert [(group.name, group.numbers) for group in found.groups] == [
        ("/CLAUDE.md", (4,)),
        ("/notes.md", (1, 2, 3)),
        ("/old.md", (5,)),
    ]


def test_two_hundred_changes_come_in_pages_with_counts(store: MemoryStore):
    """A form with all of them would be no form."""
    found = sheet(dream(store, *some(150), *some(50, path="/other.md", risks=("low_trust",))))
    assert [len(page) for page in found.pages] == [PAGE] * 10
    assert sorted(number for page in found.pages for number in page) == list(range(1, 201))
    assert counts(found) == "200 changes wait. low trust: 151-200; no risk: 1-150"
    text = form_page(found, found.pages[1])
    assert "**Page 2 of 10.**" in text
    assert "| `no risk` | 150 | 1-150 |" in text
    assert "| /other.md | 50 | 151-200 |" in text
    assert text.count("**Why:**") == PAGE
    assert len(text) < 20_000
    pages = artifact_pages(found)
    assert [title for title, _ in pages][:2] == [
        "Page 1 of 10: changes 151-170",
        "Page 2 of 10: changes 171-190",
    ]
    assert all(text.count("**Why:**") == PAGE for _, text in pages)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("1, 3", [1, 3]),
        ("1-3", [1, 2, 3]),
        (" 2 ,2; #1\n", [1, 2]),
        ("all", [1, 2, 3, 5]),
        ("No-Risk", [1, 2]),
        ("low_trust, deletes", [3, 5]),
        ("/notes.md", [1, 2, 3]),
        ("old.md", [5]),
        ("flags", [4]),
        ("4", [4]),
        ("shown", [2, 5]),
        ("6", [6]),
        ("", []),
    ],
)
def test_words_pick_what_they_say(store: MemoryStore, words: str, numbers: list[int]):
    """A word for several leaves out the flags, which ask a question, and what no longer waits."""
    assert pick(mixed(store), words, shown=(2, 4, 5)) == numbers


@pytest.mark.parametrize("words", ["7", "0", "3-1", "1-9", "nine", "1.5", "/nothing.md", "all of them"])
def test_a_word_that_means_nothing_is_refused_with_what_can_be_said(store: MemoryStore, words: str):
    """Nothing is decided on a guess."""
    with pytest.raises(UsageError, match="Give numbers such as"):
        pick(mixed(store), words)


def test_numbers_are_told_in_ranges():
    """Two hundred numbers are no sentence."""
    assert ranges([1, 2, 3, 5, 7, 8]) == "1-3, 5, 7-8"
    assert ranges([]) == ""


def test_the_title_of_a_flags_field_has_both_sides(store: MemoryStore):
    """Prefect's older pages hide the text above a long form; titles they show."""
    assert (
        question(12, flag())
        == "Flag 12: first “- The limit is 30 seconds.”, second “- The limit is 45 seconds.”"
    )


def nasty_sheet(store: MemoryStore) -> Sheet:
    quotes = (quote("s1", NASTY), quote("s2", "`" * 5 + NASTY))
    one = change(after=f"- {NASTY}\n  {NASTY}", path="/a<b>.md", heading=NASTY, reason=NASTY, quotes=quotes)
    both = change("flag", before=f"- {NASTY}\n\n- {NASTY}", entry_ids=("/a.md#1", "/a.md#2"), reason=NASTY)
    return sheet(dream(store, one, both))


def test_words_of_transcripts_forge_nothing_above_a_form(store: MemoryStore):
    """Prefect's pages render raw HTML and fetch images: what reaches them has neither, and hides nothing."""
    found = nasty_sheet(store)
    text = form_page(found, found.pages[0], before=[NASTY], problem=NASTY)
    assert "<" not in text.replace("&lt;", "")
    assert "](" not in text.replace("\\](", "").replace("\\]", "")
    assert not any(char in text for char in "\u202e\u200b\x1b\U000e0041")
    assert "⟦U+202E⟧" in text
    assert not [line for line in text.splitlines() if line.startswith("# ")]


def test_a_title_is_one_line_without_hidden_characters(store: MemoryStore):
    """A title is plain text: nothing but what one sees may be in it."""
    title = question(1, nasty_sheet(store).waiting[2])
    assert "\n" not in title
    assert title.isprintable()


def test_a_narrow_form_cuts_no_text_that_is_to_be_approved(store: MemoryStore):
    """Nobody approves what was not shown to the end."""
    long = "- " + "word " * 2_000 + "the end"
    assert "the end" in in_brief(1, change(after=long))
    assert "the end" in "\n".join(in_full(1, change(after=long)))
