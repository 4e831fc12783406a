"""Two versions side by side: nothing is lost, invented or moved, and what belongs together stands together."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.session import Span
from agentflows.web.diff import by_entry, by_file, by_word
from agentflows.web.text import excerpt

WORDS = st.text("ab cd-\n.é", max_size=80)
ENTRIES = st.lists(
    st.sampled_from(
        ["# A", "- one two three", "- one two four", "- five", "## B", "text here now", "```\nx\n```"]
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_the_words_of_both_texts_are_all_there_in_order(before: str, after: str):
    """Without what is new it is the old text, without what is gone the new one."""
    parts = by_word(before, after)
    assert "".join(part.text for part in parts if part.kind != "new") == before
    assert "".join(part.text for part in parts if part.kind != "gone") == after


def test_a_change_of_words_reads_as_one_change():
    """Blanks between words that change belong to the change."""
    parts = by_word("Run the old slow tests first.", "Run every new test first.")
    assert [part.kind for part in parts] == ["same", "gone", "new", "same"]


def test_texts_too_long_to_compare_are_shown_whole():
    """A page is not worth minutes of a processor."""
    before, after = "a " * 3_000, "b " * 3_000
    assert [(part.kind, part.text) for part in by_word(before, after)] == [("gone", before), ("new", after)]


@settings(max_examples=200, deadline=None)
@given(ENTRIES, ENTRIES)
def test_every_entry_of_both_versions_is_told_once(before: list[str], after: list[str]):
    """In the order of its own version, with headings and counts of what was passed over."""
    old, new = "\n\n".join(before), "\n\n".join(after)
    for change in by_file({"/x.md": old}, {"/x.md": new}):
        goes = [one.before.entry_id for one in change.entries if one.before]
        comes = [one.after.entry_id for one in change.entries if one.after]
        assert len(set(goes)) == len(goes)
        assert len(set(comes)) == len(comes)
        passed = sum(one for one in change.told if isinstance(one, int))
        told = [one for one in change.told if not isinstance(one, int)]
        assert passed + sum(one.kind == "same" for one in told) == change.count("same")
        assert [one for one in told if one.kind != "same"] == [
            one for one in change.entries if one.kind != "same"
        ]


def test_an_entry_that_was_reworded_stands_beside_its_new_words():
    """And not as one that went and another that came."""
    changes = by_entry("/x.md", "- The port is 8080\n- Other\n", "- The port is 9443 now\n- Other\n")
    assert [change.kind for change in changes] == ["changed", "same"]
    assert [part.text for part in changes[0].parts if part.kind == "new"] == ["9443 now"]


def test_memories_that_came_and_went_are_named_so():
    """By path, whatever stands in them."""
    changes = by_file({"/a.md": "- x\n", "/b.md": "- y\n"}, {"/b.md": "- y\n", "/c.md": "- z\n"})
    assert [(change.path, change.kind) for change in changes] == [("/a.md", "deleted"), ("/c.md", "created")]


@settings(max_examples=200, deadline=None)
@given(
    st.text("abc ", max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
    st.integers(1, 30),
)
def test_an_excerpt_is_a_stretch_of_the_text_with_its_quote_whole(
    text: str, places: list[tuple[int, int]], limit: int
):
    """What is left out is counted, what is quoted is marked to the character, spans change nothing."""
    spans = [Span(min(place), max(place), "pasted") for place in places]
    quotes = [place for place in places[:1] if 0 <= place[0] < place[1] <= len(text)]
    shown = excerpt(text, spans, limit=limit, quoted=quotes)
    body = "".join(piece.text for piece in shown.pieces)
    low = shown.left_out_before
    assert text[low : low + len(body)] == body
    assert low + len(body) + shown.left_out_after == len(text)
    for start, end in quotes:
        assert "".join(piece.text for piece in shown.pieces if piece.is_quoted) == text[start:end]


def test_of_several_reasons_to_count_for_less_the_gravest_is_named_once():
    """A memory's own words are no evidence at all, wherever they were pasted."""
    shown = excerpt("0123456789", [Span(0, 8, "pasted"), Span(2, 4, "recalled")], limit=100)
    assert [(piece.text, piece.kind, piece.opens) for piece in shown.pieces] == [
        ("01", "pasted", True),
        ("23", "recalled", True),
        ("4567", "pasted", True),
        ("89", None, False),
    ]
