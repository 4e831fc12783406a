"""An approval that would be refused decides nothing: what is approved and cannot be committed would be stuck."""

import pytest

from agentflows import review
from agentflows.errors import NotFoundError, StoreError
from agentflows.home import Home
from agentflows.store import State
from tests.store.samples import change, dreamt, put, supersede


def test_what_the_commit_would_refuse_is_known_before_anything_is_decided(home: Home):
    """Neither change holds the secret; the file would."""
    first, second = change(after="- Their door"), change(after="- Code 4711", pattern_key="fact|code|is|")
    dreamt(home.state, first, second)

    def scan(text: str) -> str:
        return "a door's code" if "door\n- Code 4711" in text else ""

    both = ["1", "2"]
    problem = review.preview(home.state, "drm_1", both, scan=scan).problem
    assert problem == "'/notes.md' would hold a secret (a door's code)"
    with pytest.raises(StoreError, match=r"Nothing was written: '/notes\.md' would"):
        review.approve(home.state, "drm_1", reviewer="ada", only=both, scan=scan)
    check_nothing_decided(home)
    assert review.reject(home.state, "drm_1", reviewer="ada", reason="no codes", only=["2"]).rejected
    assert review.approve(home.state, "drm_1", reviewer="ada", only=["1"], scan=scan).committed


def test_a_reason_that_cannot_be_kept_decides_nothing(home: Home):
    """The reason is the commit's message, and that is scanned too."""
    dreamt(home.state, supersede(), change(after="- More"))
    reason = "as ada@corp.example.org says"
    with pytest.raises(StoreError, match=r"'the reason' would hold a secret .*email"):
        review.approve(home.state, "drm_1", reviewer="ada", reason=reason, scan=home.secret_in)
    check_nothing_decided(home)
    assert review.approve(
        home.state, "drm_1", reviewer="ada", reason="as Ada says", scan=home.secret_in
    ).committed


def test_a_scan_that_is_left_out_is_the_homes(home: Home):
    """As the README calls it; and a commit by hand is none other. A state without a home has no scan but the one it is given."""
    dreamt(home.state, change(after="- More"))
    token = "- ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert "github-token" in review.preview(home.state, "drm_1", ["1"], edits={"1": token}).problem
    with pytest.raises(StoreError, match="github-token"):
        review.approve(home.state, "drm_1", reviewer="ada", edits={"1": token})
    with pytest.raises(StoreError, match="github-token"):
        put(home.state, "team", {"/more.md": token})
    check_nothing_decided(home)
    with State(home.settings.resolved_state_url) as alone:
        assert put(alone, "team", {"/more.md": token}).version == 2


def test_a_change_that_is_named_twice_is_one(home: Home):
    """By number and by id: what is reported is what was done."""
    one = supersede()
    dreamt(home.state, one)
    assert review.approve(home.state, "drm_1", reviewer="ada", only=["1", one.change_id, "1"]).committed == (
        one.change_id,
    )


def test_a_range_is_each_of_its_numbers(home: Home):
    """As in the form; one that goes beyond what there is decides nothing."""
    dreamt(home.state, supersede(), *(change(after=f"- More {one}") for one in "abc"))
    for wrong in ("2-5", "3-2", "2-"):
        with pytest.raises(NotFoundError, match="has no change"):
            review.reject(home.state, "drm_1", reviewer="ada", reason="no", only=[wrong])
    check_nothing_decided(home)
    assert len(review.approve(home.state, "drm_1", reviewer="ada", only=["2-3", "3"]).committed) == 2


def check_nothing_decided(home: Home) -> None:
    assert {one.status for one in home.state.changes(dream_id="drm_1")} == {"held"}
    assert home.state.decisions() == []
