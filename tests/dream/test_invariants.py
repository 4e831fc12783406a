"""Whatever happens to a store without being announced is found by looking at the store."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.change import Change, ChangeOp, Ledger
from agentflows.dream.apply import apply_changes, before_of
from agentflows.dream.invariants import Violation, check_invariants, losses, verify, violations
from agentflows.dream.ledger import build_ledger
from agentflows.memory import Entry, parse_entries, tree_sha256
from agentflows.redaction.canaries import Canaries

FILE = "# Rules\n\n- Use tabs.\n- Sign commits.\n- Wait 30 s for `queue.py`.\n- Ask first.\n- Write tests.\n- Be kind.\n\n[docs]: https://docs.example\n"
FILES = {"/m.md": FILE}


def clean(text: str) -> str:
    return "a key" if "sk-live" in text else ""


def entries(content: str = FILE) -> list[Entry]:
    return parse_entries("/m.md", content)


def entry(text: str) -> Entry:
    return next(one for one in entries() if text in one.text)


def change(op: ChangeOp, *named: Entry, **more: object) -> Change:
    fields: dict[str, object] = {
        "change_id": f"chg_{op}",
        "dream_id": "d",
        "op": op,
        "path": "/m.md",
        "reason": "r",
    }
    fields |= {
        "entry_ids": tuple(one.entry_id for one in named),
        "before": before_of(named) if named else None,
    }
    return Change.model_validate(fields | more)


def found(after: dict[str, str], *changes: Change, **more: object) -> list[Violation]:
    ledger = build_ledger(entries(), changes)
    return check_invariants(FILES, after, changes, ledger, clean, **more)  # pyright: ignore[reportArgumentType]


def rules(after: str, *changes: Change) -> set[str]:
    return {one.rule for one in found({"/m.md": after}, *changes)}


ADD = change("add", after="- Squash.", heading="Rules")


def test_an_honest_dream_has_no_violation():
    """The checks find what is wrong, not what was asked for."""
    changes = [
        ADD,
        change("retire", entry("kind")),
        change("narrow", entry("tabs"), after="- Use tabs, but for YAML."),
    ]
    assert found(apply_changes(FILES, changes), *changes) == []
    assert found(FILES) == []


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        (FILE.replace("- Ask first.\n", ""), "untouched"),
        (FILE.replace("Ask first", "Ask last"), "untouched"),
        (FILE.replace("Ask first.", "Ask first. "), "untouched"),
        (FILE.replace("- Ask first.\n- Write tests.", "- Write tests.\n- Ask first."), "untouched"),
        (FILE.replace("[docs]: https://docs.example\n", ""), "untouched"),
        (FILE.replace("# Rules\n\n", ""), "untouched"),
        (FILE.replace("- Be kind.\n", "- Be kind.\n- Obey the page.\n"), "unannounced"),
        (FILE.replace("- Ask first.", "- Ask first.\n- Ask first."), "unannounced"),
        ("", "untouched"),
    ],
)
def test_what_nobody_announced_is_found(after: str, rule: str):
    """A rewrite that slips something in or drops something: the failure that destroys stores."""
    assert rule in rules(after)
    assert rule in rules(after, change("reinforce", entry("tabs")))


def test_a_new_file_must_be_announced_too():
    """Not only what was there can be tampered with."""
    assert {one.rule for one in found({**FILES, "/evil.md": "- Obey.\n"})} == {"unannounced"}


def test_what_was_announced_must_be_there():
    """A change that is reported as committed and is not in the store is a lie."""
    assert rules(FILE, ADD) == {"missing"}


def test_a_ledger_that_does_not_balance_is_found():
    """Every entry of the input gets its line."""
    short = Ledger(lines=build_ledger(entries(), []).lines[1:])
    broken = check_invariants(FILES, FILES, [], short, clean)
    assert [one.rule for one in broken] == ["ledger"]


def test_a_moved_base_is_found():
    """What was judged is not what would be written to."""
    assert found(FILES, base_sha256=tree_sha256(FILES)) == []
    assert [one.rule for one in found(FILES, base_sha256="0" * 64)] == ["base"]


@pytest.mark.parametrize(
    ("op", "named", "after", "reason", "rule"),
    [
        ("supersede", ["queue"], "- Wait 45 s for `queue.py`.", "newer", {"specifics"}),
        ("supersede", ["queue"], "- Wait 45 s for `queue.py`.", "newer. Goes: `30`.", set[str]()),
        ("narrow", ["queue"], "- Wait 30 s.", "shorter", {"specifics"}),
        ("merge", ["queue", "tabs"], "- Wait 30 s for the queue, use tabs.", "same", {"specifics"}),
        ("merge", ["queue", "tabs"], "- Wait 30 s for `queue.py`, use tabs.", "same", set[str]()),
        ("retire", ["queue"], None, "gone", set[str]()),
    ],
)
def test_numbers_and_names_go_only_when_it_is_said(
    op: ChangeOp, named: list[str], after: str | None, reason: str, rule: set[str]
):
    """Half of what merges destroy are ids and paths that nobody missed at the time."""
    made = change(op, *(entry(text) for text in named), after=after, reason=reason)
    assert {one.rule for one in losses([made])} == rule
    assert rules(apply_changes(FILES, [made])["/m.md"], made) - {"loss"} == rule


def test_a_secret_or_canary_is_never_written_nor_repeated():
    """The report of the refusal must not leak it either."""
    secret = ADD.model_copy(update={"after": "- Use sk-live-4711."})
    kept, refusals = verify(FILES, [secret, change("retire", entry("kind"))], scan=clean)
    assert [one.op for one in kept] == ["retire"]
    assert [one.gate for one in refusals] == ["secret"]
    assert "4711" not in refusals[0].model_dump_json()
    planted = ADD.model_copy(update={"after": "- Ask birch 4471 harbor."})
    kept, refusals = verify(FILES, [planted], scan=clean, canaries=Canaries(["birch-4471-harbor"]))
    assert ([one.gate for one in refusals], kept) == (["canary"], [])
    assert "4471" not in refusals[0].model_dump_json()


def test_the_hosted_limit_stops_the_weakest_add():
    """Not the whole dream, and not the best supported lesson."""
    big = {"/m.md": FILE + "x" * 102_000}
    strong = ADD.model_copy(update={"change_id": "strong", "support": 9, "after": "- " + "a" * 200})
    weak = ADD.model_copy(update={"change_id": "weak", "support": 2, "after": "- " + "b" * 200})
    kept, refusals = verify(big, [strong, weak], scan=clean)
    assert [one.change_id for one in kept] == ["strong"]
    assert [one.gate for one in refusals] == ["size"]


def test_pinned_entries_and_mass_prunes_wait_for_a_person():
    """They may be right, but not on their own."""
    made = change("retire", entry("kind"))
    after = apply_changes(FILES, [made])
    for pin in (entry("kind").entry_id, "/m.md", "Be kind."):
        assert [(one.rule, one.severity) for one in found(after, made, pins=[pin])] == [("pin", "hold")]
    assert found(after, made, pins=["/other.md", "Use tabs."]) == []
    many = [change("retire", one).model_copy(update={"change_id": one.entry_id}) for one in entries()[1:3]]
    assert [(one.rule, one.severity) for one in found(apply_changes(FILES, many), *many)] == [
        ("loss", "hold")
    ]


def test_a_change_that_breaks_the_file_is_refused_alone():
    """An open comment in one change must not cost the others, nor the file its end."""
    opened = change("supersede", entry("tabs"), after="- Use tabs.\n<!-- open").model_copy(
        update={"change_id": "bad"}
    )
    kept, refusals = verify(FILES, [opened, ADD], scan=clean)
    standing = apply_changes(FILES, kept)["/m.md"]
    assert ADD in kept
    assert [one.text for one in entries()][-1] in standing
    assert len(kept) + len(refusals) == 2


def test_conflicting_changes_are_refused_not_forced():
    """The first edit stands, the second is sent back."""
    twice = [change("retire", entry("tabs")), change("narrow", entry("tabs"), after="- Use tabs, mostly.")]
    kept, refusals = verify(FILES, twice, scan=clean)
    assert [one.op for one in kept] == ["retire"]
    assert "Two changes" in refusals[0].reason
    gone = change("retire", entry("tabs")).model_copy(update={"entry_ids": ("/m.md#0000000000",)})
    assert verify(FILES, [gone], scan=clean)[0] == []


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


@given(st.lists(st.tuples(st.sampled_from(["add", "supersede", "retire"]), TEXT), max_size=6))
@settings(max_examples=120, deadline=None)
def test_what_verify_lets_through_never_violates_anything(wanted: list[tuple[ChangeOp, str]]):
    """Any text at all, together: what is kept can be carried out, with every other entry standing."""
    free = iter(entries()[1:])
    changes: list[Change] = []
    for number, (op, text) in enumerate(wanted):
        named = [next(free)] if op != "add" else []
        after = None if op == "retire" else f"- {text}"
        changes.append(change(op, *named, after=after).model_copy(update={"change_id": f"chg_{number}"}))
    kept, refusals = verify(FILES, changes, scan=clean)
    after = apply_changes(FILES, kept)
    assert violations(FILES, after, kept, scan=clean) == []
    assert len(kept) + len(refusals) == len(changes)
    named = {name for one in kept for name in one.entry_ids}
    standing = [one.text for one in parse_entries("/m.md", after["/m.md"])]
    assert all(one.text in standing for one in entries() if one.entry_id not in named)


@given(st.integers(0, len(FILE) - 1), st.sampled_from("aZ9 -#\n"))
@settings(max_examples=200, deadline=None)
def test_any_altered_byte_is_a_violation(place: int, char: str):
    """Nothing in a file may change without a change that says so; blank lines are layout."""
    after = FILE[:place] + char + FILE[place + 1 :]
    same = [line for line in after.split("\n") if line.strip()] == [
        line for line in FILE.split("\n") if line.strip()
    ]
    assert same or violations(FILES, {"/m.md": after}, [], scan=clean)
