"""Changes become file contents; every byte that no change names stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.change import Change, ChangeOp
from agentflows.dream.apply import apply_changes, as_item, before_of, fitted, form_problem, next_path, roomy
from agentflows.dream.ledger import build_ledger
from agentflows.errors import ConflictError
from agentflows.memory import Entry, parse_entries

STORE = """\
---
name: team
---

# Rules

Work carefully.

- Use tabs.
- Sign commits.

## Tests

* Run `make test`.

```sh
make test   # takes 30 s
```

[docs]: https://docs.example
"""


def change(op: ChangeOp, *entries: Entry, path: str = "/m.md", **more: object) -> Change:
    fields: dict[str, object] = {
        "change_id": f"chg_{op}",
        "dream_id": "drm_1",
        "op": op,
        "path": path,
        "reason": "r",
    }
    fields |= {"entry_ids": tuple(entry.entry_id for entry in entries)}
    fields |= {"before": before_of(entries) if entries else None}
    return Change.model_validate(fields | more)


def add(text: str, heading: str = "", path: str = "/m.md") -> Change:
    return change("add", path=path, heading=heading, after=text)


def entry(text: str, content: str = STORE) -> Entry:
    return next(one for one in parse_entries("/m.md", content) if text in one.text)


def applied(*changes: Change, content: str = STORE) -> str:
    return apply_changes({"/m.md": content}, changes)["/m.md"]


def test_an_add_joins_the_list_under_its_heading():
    """As a person would have written it: no blank line inside the list, none lost around it."""
    assert applied(add("- Squash fixups.", "Rules")) == STORE.replace(
        "- Sign commits.\n", "- Sign commits.\n- Squash fixups.\n"
    )


def test_an_add_after_a_block_starts_a_list_of_its_own():
    """A list item glued to a code block would be read as part of it."""
    after = applied(add("- Clean first.", "tests"))
    assert "takes 30 s\n```\n\n- Clean first.\n\n[docs]" in after


def test_a_missing_heading_or_file_is_made():
    """What was learned has to go somewhere."""
    assert applied(add("- Sleep.", "Facts")).endswith(
        "\n[docs]: https://docs.example\n\n## Facts\n\n- Sleep.\n"
    )
    made = apply_changes({}, [add("- One.", "Facts", "/learned.md"), add("- Two.", "Facts", "/learned.md")])
    assert made == {"/learned.md": "## Facts\n\n- One.\n- Two.\n"}
    assert apply_changes({}, [add("One", path="/learned.md")]) == {"/learned.md": "- One\n"}


def test_a_loose_list_stays_loose():
    """Blank lines between items are the writer's choice."""
    loose = "# A\n\n- one\n\n- two\n"
    assert applied(add("- three", "A"), content=loose) == "# A\n\n- one\n\n- two\n\n- three\n"


def test_windows_line_ends_are_kept():
    """A file of mixed line ends shows as wholly changed in a diff."""
    content = "# A\r\n\r\n- one\r\n- two\r\n"
    after = applied(
        add("- three", "A"), change("narrow", entry("one", content), after="- one\n  but"), content=content
    )
    assert after == "# A\r\n\r\n- one\r\n  but\r\n- two\r\n- three\r\n"


def test_replacing_and_removing_leave_the_rest():
    """Narrowed, superseded, retired: the neighbours keep every byte."""
    after = applied(
        change("supersede", entry("tabs"), after="- Use spaces."),
        change("retire", entry("Sign")),
        change("narrow", entry("careful"), after="Work carefully, but for spikes."),
    )
    assert after == STORE.replace("Use tabs", "Use spaces").replace("- Sign commits.\n", "").replace(
        "carefully.", "carefully, but for spikes."
    )


def test_a_merge_writes_once_and_removes_the_others():
    """Even across files."""
    files = {"/m.md": "- a\n- b\n", "/n.md": "# N\n\n- c\n"}
    named = [*parse_entries("/m.md", files["/m.md"])[:1], parse_entries("/n.md", files["/n.md"])[1]]
    after = apply_changes(files, [change("merge", *named, after="- a and c")])
    assert after == {"/m.md": "- a and c\n- b\n", "/n.md": "# N\n"}


def test_reinforce_and_flag_write_nothing():
    """They say something about an entry, not in it."""
    assert applied(change("reinforce", entry("tabs")), change("flag", entry("Sign"))) == STORE


def test_an_entry_that_moved_on_is_a_conflict_that_names_it():
    """A change is never forced onto a text that it was not made for."""
    gone = entry("tabs").entry_id
    with pytest.raises(ConflictError, match=gone):
        applied(change("retire", entry("tabs")), content=STORE.replace("tabs", "spaces"))
    with pytest.raises(ConflictError, match="another text"):
        applied(change("retire", entry("tabs")).model_copy(update={"before": "- Use spaces."}))


def test_two_edits_to_one_entry_are_a_conflict():
    """Which of them should win is not for this function to say."""
    with pytest.raises(ConflictError, match="Two changes"):
        applied(change("retire", entry("tabs")), change("narrow", entry("tabs"), after="- Use tabs, mostly."))


def test_adding_twice_adds_once():
    """A retried commit must not double what it learned."""
    new = add("- Squash fixups.", "Rules")
    assert applied(new, content=applied(new)) == applied(new)
    assert applied(new, add("squash   fixups", "Tests")) == applied(new)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Use tabs.", "- Use tabs."),
        ("- Use tabs.", "- Use tabs."),
        ("* Use tabs.\n", "* Use tabs."),
        ("Use tabs.\n\nAlways.", "- Use tabs.\n\n  Always."),
        ("Run:\n```sh\nmake\n```", "- Run:\n  ```sh\n  make\n  ```"),
        ("Stop.\n# Not a heading", "- Stop.\n  # Not a heading"),
    ],
)
def test_an_add_is_one_item_whatever_its_lines(text: str, item: str):
    """A text with lines of its own must not break out of its list."""
    assert as_item(text) == item
    assert not form_problem(item, "list_item")


@pytest.mark.parametrize(
    "text",
    ["# Heading", "- one\n- two", "```\ncode\n```", "<!-- open", "[x]: https://a.example", "a\n\nb", ""],
)
def test_other_blocks_are_no_entry(text: str):
    """An unclosed comment would swallow the rest of the file."""
    assert form_problem(text, "list_item")


def test_a_text_takes_the_form_of_what_it_replaces():
    """Prose stays prose, an ordered item keeps its number."""
    ordered = parse_entries("/m.md", "3. three\n")[0]
    assert fitted("drei", ordered) == "3. drei"
    assert fitted("- Plain.", parse_entries("/m.md", "Prose.\n")[0]) == "Plain."


def test_a_full_memory_goes_on_in_the_next():
    """The hosted limit is 102,400 bytes for one memory."""
    assert [next_path(path) for path in ("/learned.md", "/learned-2.md", "/a.b/x", "/x-9")] == [
        "/learned-2.md", "/learned-3.md", "/a.b/x-2", "/x-10",
    ]  # fmt: skip
    files = {"/learned.md": "x" * 102_300}
    placed = roomy(files, [add("- " + "y" * 200, path="/learned.md"), add("- z", path="/learned.md")])
    assert [one.path for one in placed] == ["/learned-2.md", "/learned.md"]
    assert all(len(text.encode()) <= 102_400 for text in apply_changes(files, placed).values())


BLOCKS = st.sampled_from(
    ["# Title", "## Part", "Some prose.", "- one\n- two\n  more", "* star", "1. first\n2. second", "```\ncode - x\n```",
     "> quoted", "| a | b |\n|---|---|\n| 1 | 2 |", "[ref]: https://x.example", "---", "<div>\nhtml\n</div>"]
)  # fmt: skip
REPLACING: st.SearchStrategy[ChangeOp] = st.sampled_from(["retire", "supersede"])
DOCUMENTS = st.tuples(st.lists(BLOCKS, max_size=8), st.sampled_from(["\n\n", "\n\n\n"]), st.booleans()).map(
    lambda made: made[1].join(made[0]) + ("\n" if made[2] else "")
)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_rule_that_comes_first_by_a_removal_begins_no_front_matter(end: str):
    """What stands between two rules would be swallowed as the file's properties, and no dream would see it again."""
    content = "Some prose.\n\n---\n\n- kept\n\n---\n".replace("\n", end)
    after = applied(change("retire", entry("prose", content)), content=content)
    assert after == f"{end}{content.removeprefix(f'Some prose.{end}{end}')}"
    assert [one.kind for one in parse_entries("/m.md", after)] == ["paragraph", "list_item", "paragraph"]
    assert applied(change("retire", entry("kept", after)), content=after).startswith(f"{end}---")


@given(DOCUMENTS, st.data())
@settings(max_examples=150, deadline=None)
def test_untouched_bytes_survive_any_changes(content: str, data: st.DataObject):
    """The promise to whoever wrote the memory by hand."""
    entries = parse_entries("/m.md", content)
    editable = [one for one in entries if one.kind in {"paragraph", "list_item"} and one.text != "---"]
    chosen = data.draw(st.lists(st.sampled_from(editable), unique=True) if editable else st.just([]))
    changes = [
        change(data.draw(REPLACING), one, after="new words").model_copy(update={"change_id": one.entry_id})
        for one in chosen
    ]
    changes = [one.model_copy(update={"after": None}) if one.op == "retire" else one for one in changes]
    adds = [
        add(f"- learned {number}", heading)
        for number, heading in enumerate(
            data.draw(st.lists(st.sampled_from(["Title", "Part", "New", ""]), max_size=3))
        )
    ]
    after = applied(*changes, *adds, content=content)
    kept = [one.text for one in entries if one not in chosen]
    standing = iter(one.text for one in parse_entries("/m.md", after))
    assert all(text in standing for text in kept)
    for one in adds:
        assert any(item.text == one.after for item in parse_entries("/m.md", after))
    if not changes and not adds:
        assert after == content


@given(DOCUMENTS, st.data())
@settings(max_examples=80, deadline=None)
def test_the_ledger_always_balances(content: str, data: st.DataObject):
    """One line for each entry, whatever was decided."""
    entries = parse_entries("/m.md", content)
    ops: st.SearchStrategy[ChangeOp] = st.sampled_from(["retire", "narrow", "reinforce", "flag", "merge"])
    chosen = data.draw(st.lists(st.sampled_from(entries), max_size=6) if entries else st.just([]))
    changes = [change(data.draw(ops), one, after="x") for one in chosen]
    ledger = build_ledger(entries, changes)
    assert ledger.imbalance([one.entry_id for one in entries]) == ""
    assert sum(ledger.counts.values()) == len(entries)


def test_the_ledger_says_what_edits_an_entry_before_what_flags_it():
    """One line for each entry: the weightiest fate."""
    one = entry("tabs")
    changes = [change("reinforce", one), change("flag", one), change("retire", one), add("- x")]
    ledger = build_ledger([one], changes)
    assert [(line.fate, line.change_id) for line in ledger.lines] == [("retired", "chg_retire")]
    assert build_ledger([one], changes[:2]).lines[0].fate == "flagged"
    undone = changes[2].model_copy(update={"status": "rejected"})
    assert build_ledger([one], [undone]).lines[0].fate == "kept"
