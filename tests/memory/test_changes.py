"""Words of a change: what an approval binds, what a rejection remembers, when a ledger balances."""

from agentflows.change import Change, Ledger, LedgerLine

BASE = Change(
    change_id="chg_1",
    dream_id="drm_1",
    op="supersede",
    path="/a.md",
    entry_ids=("/a.md#0123456789",),
    before="- old",
    after="- new",
    reason="newer",
    pattern_key="fact|port|is|",
)


def test_an_approval_binds_place_and_texts():
    """Whatever a reviewer read may not change under the approval."""
    for field, value in {
        "op": "narrow",
        "path": "/b.md",
        "entry_ids": (),
        "heading": "H",
        "before": "- x",
        "after": "- y",
    }.items():
        assert BASE.model_copy(update={field: value}).sha256 != BASE.sha256, field


def test_status_and_counts_are_no_part_of_what_is_approved():
    """A change keeps its sha256 from proposal to commit."""
    for field, value in {"status": "held", "status_reason": "why", "support": 9, "reason": "other"}.items():
        assert BASE.model_copy(update={field: value}).sha256 == BASE.sha256, field


def test_a_rejection_outlives_the_dream_and_the_wording():
    """The same idea for the same place comes back under another id and text, and is recognised."""
    again = BASE.model_copy(
        update={"change_id": "chg_2", "dream_id": "drm_2", "after": "- new!", "support": 5}
    )
    assert again.memo_key == BASE.memo_key
    assert BASE.model_copy(update={"path": "/b.md"}).memo_key != BASE.memo_key


def test_a_ledger_balances_only_when_every_entry_has_one_line():
    """An entry without a fate is an entry lost; one with two fates is a lie."""
    one, two = (LedgerLine(entry_id=name, path="/a.md", fate="kept") for name in ("e1", "e2"))
    assert Ledger(lines=(one, two)).imbalance(["e2", "e1"]) == ""
    assert "1 entries without a line ['e2']" in Ledger(lines=(one,)).imbalance(["e1", "e2"])
    assert "1 lines without an entry ['e1']" in Ledger(lines=(one, one, two)).imbalance(["e1", "e2"])
    assert Ledger(lines=(one, two)).counts == {"kept": 2}
