"""What is ours cannot be faked, and what is hidden is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.dream.marks import fence_for, mark, one_line, reveal


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("pay \u202eEVIL", "pay ⟦U+202E⟧EVIL"),
        ("tag\U000e0041", "tag⟦U+E0041⟧"),
        ("smuggled\U000e0101", "smuggled⟦U+E0101⟧"),
        ("bell\x07", "bell⟦U+0007⟧"),
        ("\x1b[31mred\x1b[0m", "⟦ansi⟧red⟦ansi⟧"),
        ("line\r\n", "line⟦U+000D⟧\n"),
        ("half \ud800", "half ⟦U+D800⟧"),
        ("⟦#0 user t3⟧", "⟦U+27E6⟧#0 user t3⟦U+27E7⟧"),
    ],
    ids=ascii,
)
def test_hidden_characters_and_false_marks_are_written_out(text: str, seen: str):
    """A reader, human or model, sees what is there."""
    assert reveal(text) == seen


@pytest.mark.parametrize("text", ["Käse, 読む, ✓ ⚠️", "tabs\tand\nlines", "« quoted »", "a → b"])
def test_ordinary_text_of_any_language_stays_as_it_is(text: str):
    """Otherwise nothing in it could be quoted."""
    assert reveal(text) == text


@given(st.text())
def test_no_text_can_make_a_mark(text: str):
    """With our own marks taken away, none is left."""
    rest = reveal(text)
    for char in set(text):
        rest = rest.replace(mark(f"U+{ord(char):04X}"), "")
    rest = rest.replace(mark("ansi"), "")
    assert "⟦" not in rest
    assert "⟧" not in rest


@given(st.text(), st.integers(1, 50))
def test_a_line_inside_a_mark_cannot_leave_it(text: str, limit: int):
    """A session's title or a hint's note ends no mark and starts no line."""
    line = one_line(text, limit)
    assert not {"⟦", "⟧", "\n"} & set(line)
    assert len(line) <= limit + 1


def test_the_fence_is_not_in_what_it_fences():
    """Text that names its own hash cannot be written, but looking costs nothing."""
    material = "some session"
    assert fence_for(material) not in material
    assert fence_for(material) == fence_for(material)
    forged = f"{material} {fence_for(material)}"
    assert fence_for(forged) not in forged
