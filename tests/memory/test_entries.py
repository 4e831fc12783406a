"""Entries of a Markdown file: cut out and put back, byte for byte."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentflows.memory import Entry, parse_entries, splice

PIECES = st.sampled_from(
    [
        "# Title",
        "## Sub #",
        "Setext\n===",
        "- item",
        "- item\n  more of it",
        "* other list",
        "1. first\n2. second",
        "- outer\n  - inner\n    - innermost\n  - inner two",
        "- loose\n\n  second paragraph",
        "\t- tab before",
        "-\ttab after",
        "plain words",
        "two\nlines",
        "> quoted\nlazy",
        "```sh\nrun it\n\n# no heading\n```",
        "```\nnever closed",
        "    indented code\n\n    more code",
        "<div>\nhtml\n\n</div>",
        "<!-- a comment\n\nover lines -->",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "[ref]: https://example.org 'title'",
        "---",
        "***",
        "-",
        "1.",
        "\u00a0",
        "\x0c",
        "\u2028line separator\u2028",
        "naïve 日本語 🐈 e\u0301",
        "\x00 nul",
        "\ufeff# after a byte order mark",
        "trailing spaces   ",
        "",
        " ",
        "\t",
    ]
)
BREAKS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n \n", "\n\n\n"])
FRONT = st.sampled_from(["", "---\nname: x\n---\n", "---\r\nname: x\r\n---\r\n", "---\n", "---\na: 1\n...\n"])


@st.composite
def markdown(draw: st.DrawFn) -> str:
    """Plausible and implausible Markdown, with every kind of line break, with or without a last one."""
    parts = draw(st.lists(st.tuples(PIECES | st.text(max_size=12), BREAKS), max_size=10))
    text = draw(FRONT) + "".join(piece + end for piece, end in parts)
    return text.rstrip("\r\n") if draw(st.booleans()) else text


def everything(content: str) -> list[Entry]:
    return parse_entries("/m.md", content)


@settings(max_examples=300, deadline=None)
@given(markdown())
@example("- a\r\n- b\r\n\r\ntext\r\n")
@example("a\rb\r\r- c")
@example("---\r\nk: v\r\n---\r\n# T\r\n")
def test_an_entry_is_exactly_its_bytes_in_the_file(content: str):
    """A quote of an entry, its sha256 and its id mean nothing if its text is not what stands there."""
    end = 0
    for entry in everything(content):
        assert content[entry.start : entry.end] == entry.text
        assert entry.start >= end, "entries overlap"
        assert entry.text == entry.text.rstrip("\r\n"), "the line break that ends it is no part of it"
        assert entry.start == 0 or content[entry.start - 1] in "\r\n", "an entry starts a line"
        assert content[entry.end : entry.end + 1] in {"", "\n", "\r"}, "an entry ends a line"
        end = entry.end


@settings(max_examples=300, deadline=None)
@given(markdown())
def test_nothing_replaced_is_nothing_changed(content: str):
    """Untouched entries stay byte for byte: the promise of every dream."""
    entries = everything(content)
    assert splice(content, {}) == content
    assert splice(content, {(entry.start, entry.end): entry.text for entry in entries}) == content


@settings(max_examples=300, deadline=None)
@given(markdown(), st.data())
def test_replacing_entries_leaves_all_else_in_place(content: str, data: st.DataObject):
    """What stands before, between and after the replaced entries is the same string."""
    entries = everything(content)
    chosen = [entry for entry in entries if data.draw(st.booleans())]
    result = splice(content, {(entry.start, entry.end): f"<{number}>" for number, entry in enumerate(chosen)})
    expected, position = "", 0
    for number, entry in enumerate(chosen):
        expected += content[position : entry.start] + f"<{number}>"
        position = entry.end
    assert result == expected + content[position:]


@settings(max_examples=300, deadline=None)
@given(markdown(), st.data())
def test_removing_entries_takes_no_other_text(content: str, data: st.DataObject):
    """A removal takes line breaks and blank lines with it, and never a character of anything else."""
    entries = everything(content)
    gone = [entry for entry in entries if data.draw(st.booleans())]
    result = splice(content, {(entry.start, entry.end): None for entry in gone})
    kept, position = "", 0
    for entry in gone:
        kept += content[position : entry.start]
        position = entry.end
    kept += content[position:]
    assert "".join(result.split()) == "".join(kept.split())


@settings(max_examples=200, deadline=None)
@given(markdown())
def test_entry_ids_are_unique_and_made_from_the_text_alone(content: str):
    """The same text at the same path has the same id, wherever in the file it stands."""
    entries = everything(content)
    ids = [entry.entry_id for entry in entries]
    assert len(set(ids)) == len(ids)
    again = (
        everything("Something new at the top.\n\n" + content) if not content.startswith("---") else entries
    )
    first = {entry.text: entry.entry_id for entry in reversed(entries)}
    for entry in again:
        if entry.text in first and entry.entry_id.count(".") == 1:
            assert entry.entry_id == first[entry.text]


@settings(max_examples=200, deadline=None)
@given(markdown())
def test_the_same_file_with_other_line_ends_has_the_same_entries(content: str):
    """An editor that saves CRLF must not turn every memory into a new one; single-line entries keep their ids."""
    unix = content.replace("\r\n", "\n").replace("\r", "\n")
    windows = unix.replace("\n", "\r\n")
    texts = [entry.text.replace("\r\n", "\n") for entry in everything(windows)]
    assert texts == [entry.text for entry in everything(unix)]


def test_a_crlf_entry_holds_no_carriage_return():
    """Its sha256 would differ from the same line saved elsewhere."""
    assert [entry.text for entry in everything("- a\r\n- b\r\n")] == ["- a", "- b"]


def test_nested_lists_stay_with_their_item():
    """A child without its parent says something else."""
    assert [entry.text for entry in everything("- a\n  - b\n- c\n")] == ["- a\n  - b", "- c"]


def test_an_entry_knows_the_headings_above_it():
    """They say what it is about, and where a new entry belongs."""
    entries = everything("# A\n\n## B ##\n\n- x\n\n# C\n\ny\n")
    assert [(entry.kind, entry.heading) for entry in entries] == [
        ("heading", ()),
        ("heading", ("A",)),
        ("list_item", ("A", "B")),
        ("heading", ()),
        ("paragraph", ("C",)),
    ]


def test_front_matter_is_one_entry():
    """It is data of the file's owner; Markdown would read it as a rule and a heading."""
    entries = everything("---\nname: x\n---\n# T\n")
    assert [(entry.kind, entry.text) for entry in entries] == [
        ("front_matter", "---\nname: x\n---"),
        ("heading", "# T"),
    ]


@pytest.mark.parametrize(
    ("content", "remove", "expected"),
    [
        ("a\n\nb\n\nc\n", "b", "a\n\nc\n"),
        ("a\n\nb\n\nc\n", "a", "b\n\nc\n"),
        ("a\n\nb\n\nc\n", "c", "a\n\nb\n"),
        ("a\r\n\r\nb\r\n\r\nc\r\n", "b", "a\r\n\r\nc\r\n"),
        ("a\r\n\r\nb\r\n", "b", "a\r\n"),
        ("- a\n- b\n- c", "- b", "- a\n- c"),
        ("- a\n- b\n- c", "- c", "- a\n- b\n"),
        ("only", "only", ""),
    ],
)
def test_a_removal_leaves_no_gap(content: str, remove: str, expected: str):
    """Blank lines that would meet become one; a file neither starts nor ends with a blank line for it."""
    places = {(entry.start, entry.end): None for entry in everything(content) if entry.text == remove}
    assert splice(content, places) == expected
