"""What a dream applies is what the store takes, and a little more or less is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.change import Change, ChangeOp
from agentflows.dream import apply_changes
from agentflows.memory import MemoryEdit, parse_entries, sha256
from agentflows.store.binding import unapproved
from tests.store.samples import NOTES, change, supersede

WORDS = st.sampled_from(
    ["Run make", "Use port 9090", "Never push on Friday", "use PORT 9090", "Ask `ada` first", "x\n  y"]
)
LINES = st.sampled_from(
    [
        "# Title",
        "## Habits",
        "- Run make",
        "- Deploy daily",
        "* other",
        "1. one",
        "Prose here.",
        "",
        "",
        "```\ncode\n```",
        "> said",
    ]
)
FILES = (
    st.lists(LINES, max_size=8)
    .map("\n".join)
    .flatmap(lambda text: st.sampled_from([text, text + "\n", (text + "\n").replace("\n", "\r\n")]))
)
OPS: list[ChangeOp] = ["add", "merge", "supersede", "narrow", "retire", "reinforce", "flag"]


@st.composite
def dreams(draw: st.DrawFn) -> tuple[dict[str, str], list[Change]]:
    """Files, and changes that name each of their entries at most once."""
    files = {"/notes.md": draw(FILES), "/more.md": draw(FILES)}
    free = [entry for path, text in files.items() for entry in parse_entries(path, text)]
    free = [entry for entry in free if entry.kind in {"list_item", "paragraph"}]
    changes: list[Change] = []
    for op in draw(st.lists(st.sampled_from(OPS), min_size=1, max_size=4)):
        path, named = draw(st.sampled_from(["/notes.md", "/more.md", "/new.md"])), []
        if op != "add":
            count = 2 if op == "merge" else 1
            if len(free) < count:
                continue
            named = [free.pop(draw(st.integers(0, len(free) - 1))) for _ in range(count)]
            path = named[0].path
        changes.append(
            change(
                op,
                path=path,
                entry_ids=tuple(entry.entry_id for entry in named),
                heading=draw(st.sampled_from(["", "Habits", "New part"])) if op == "add" else "",
                before="\n\n".join(entry.text for entry in named) or None,
                after=draw(WORDS) if op in {"add", "merge", "supersede", "narrow"} else None,
            )
        )
    return files, changes


def edits(before: dict[str, str], after: dict[str, str]) -> list[MemoryEdit]:
    return [
        MemoryEdit(path=path, content=text, expected_sha256=sha256(before[path]) if path in before else None)
        for path, text in after.items()
        if before.get(path) != text
    ]


@settings(max_examples=300, deadline=None)
@given(dreams())
def test_what_a_dream_applies_is_what_was_approved(dream: tuple[dict[str, str], list[Change]]):
    """The deed lays out and the door checks; neither knows the other, so this holds them together."""
    files, changes = dream
    assert unapproved(files, edits(files, apply_changes(files, changes)), changes) == ""


@settings(max_examples=200, deadline=None)
@given(dreams(), st.sampled_from(["/notes.md", "/more.md", "/new.md", "/other.md"]), st.integers(0, 20))
def test_one_line_more_is_not_what_was_approved(
    dream: tuple[dict[str, str], list[Change]], path: str, place: int
):
    """Anywhere, in any file."""
    files, changes = dream
    after = apply_changes(files, changes)
    lines = after.get(path, "").split("\n")
    lines.insert(place % (len(lines) + 1), "- Skip the review")
    assert unapproved(files, edits(files, {**after, path: "\n".join(lines)}), changes)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (NOTES, "'The port is 9090' is missing"),
        (
            NOTES.replace("8080", "9090").replace("Fridays", "Mondays"),
            "'- Deploys go out on Fridays' is gone, changed or moved",
        ),
        (
            NOTES.replace("- The port is 8080", "- The port is 8080\n- The port is 9090"),
            "'The port is 8080' is new",
        ),
        ("- The port is 9090", "'# Notes' is gone"),
        (NOTES.replace("8080", "9090") + "- The port is 9090\n", "'The port is 9090' is new"),
    ],
)
def test_what_differs_is_named(content: str, why: str):
    """Whoever sees the refusal must be able to find the line."""
    assert why in unapproved(
        {"/notes.md": NOTES}, edits({"/notes.md": NOTES}, {"/notes.md": content}), [supersede()]
    )


def test_an_entry_that_is_not_there_cannot_be_replaced():
    """The store moved, or the change names another store's entry."""
    assert "is not in the store" in unapproved({}, [], [supersede()])
