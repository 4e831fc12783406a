"""Decisions in the page are those of `agentflows review`: what was shown is what is done, or nothing is and it is said why."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from agentflows import review
from agentflows.home import Home
from agentflows.memory import MemoryEdit, sha256
from tests.web.homes import dream_id, held_changes
from tests.web.reading import Page, barriers

Writing = Callable[[Home], TestClient]


def reading(client: TestClient, dream: str, **query: int) -> Page:
    """The review as it is first seen."""
    return Page(client.get(f"/dreams/{dream}/review", params=query).text)


def send(client: TestClient, dream: str, fields: dict[str, str], **more: str) -> Page:
    """Send the form of a review; returns the page that follows."""
    page = Page(client.post(f"/dreams/{dream}/review", data=fields | more).text)
    assert not barriers(page)
    return page


def confirmed(page: Page) -> dict[str, str]:
    """The fields of the form that commits: the last one of its page."""
    forms = [place for place, one in enumerate(page.elements) if one.tag == "form"]
    last = Page("")
    last.elements = page.elements[forms[-1] :]
    return last.fields()


def commit(client: TestClient, dream: str, fields: dict[str, str], **more: str) -> Page:
    """Confirm; returns the page that tells what was done."""
    page = Page(client.post(f"/dreams/{dream}/commit", data=fields | more).text)
    assert not barriers(page)
    return page


def ids(home: Home, dream: str) -> dict[int, str]:
    return {number: change.change_id for number, change in enumerate(home.state.dream(dream).changes, 1)}


def statuses(home: Home, dream: str) -> list[str]:
    return [change.status for change in home.state.dream(dream).changes]


def test_what_is_confirmed_is_what_the_store_then_says(own: Home, writing: Writing):
    """Approved, in one's own words, answered, rejected: each is shown before, done, and on record with who decided."""
    client, dream = writing(own), dream_id(own)
    fields, names = reading(client, dream).fields(), ids(own, dream)
    flag = next(n for n, change in enumerate(own.state.dream(dream).changes, 1) if change.op == "flag")
    choices = {
        f"v-{names[1]}": "approve",
        f"v-{names[2]}": "edit",
        f"t-{names[2]}": "- `pnpm lint` fails\r\n  on edited files.",
        f"v-{names[4]}": "reject",
        f"r-{names[4]}": "one-off",
        f"v-{names[flag]}": "keep-second",
    }
    page = send(client, dream, fields, go="confirm", **choices)
    assert "Version 2 of example is written, with 3 changes in 2 memories" in page.text
    assert "1 change is rejected" in page.text
    assert "9 changes wait on" in page.text
    assert "On record: ada" in page.text
    assert {one.text for one in page.all("del")} >= {"- The request timeout for carriers is 30 seconds."}
    assert own.state.get_store("example").version == 1
    assert set(statuses(own, dream)) == {"held"}

    done = commit(client, dream, confirmed(page), note="read them all")
    assert "Version 2 of example is written. 3 changes committed. 1 rejected" in done.text
    files = own.state.files("example")
    assert "- `pnpm lint` fails\n  on edited files.\n" in files["/learned.md"]
    assert "30 seconds" not in files["/CLAUDE.md"]
    made = {one.change_id: one for one in own.state.decisions(dream)}
    assert {one.reviewer for one in made.values()} == {"ada"}
    assert (made[names[4]].verdict, made[names[4]].reason) == ("rejected", "one-off")
    assert (made[names[1]].verdict, made[names[1]].reason) == ("approved", "read them all")
    assert made[names[2]].edited_after == "- `pnpm lint` fails\n  on edited files."
    assert own.state.versions("example", limit=1)[0].created_by.name == "ada"


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("keep-first", ["30"]),
        ("keep-second", ["10"]),
        ("keep-both", ["10", "30"]),
        ("drop", []),
        ("edit", ["20"]),
    ],
)
def test_a_flag_is_answered_in_the_page(own: Home, writing: Writing, answer: str, left: list[str]):
    """Each answer that the terminal has, with what it keeps."""
    client, dream = writing(own), dream_id(own)
    page = reading(client, dream)
    flag = next(change for change in own.state.dream(dream).changes if change.op == "flag")
    offered = [one.attributes["value"] for one in page.all("input", type="radio", name=f"v-{flag.change_id}")]
    assert offered == ["", "keep-first", "keep-second", "keep-both", "drop", "edit", "reject"]
    own_text = {f"t-{flag.change_id}": "- The request timeout for carriers is 20 seconds."}
    page = send(client, dream, page.fields() | own_text, go="confirm", **{f"v-{flag.change_id}": answer})
    commit(client, dream, confirmed(page))
    text = own.state.files("example")["/CLAUDE.md"]
    assert [number for number in ("10", "20", "30") if f"carriers is {number} seconds" in text] == left


def test_what_is_marked_travels_from_page_to_page(home: Home, writing: Writing):
    """Two hundred changes are eight pages; nothing is kept anywhere but in the form."""
    held_changes(home, 200)
    client, names = writing(home), ids(home, "drm_many")
    page = reading(client, "drm_many")
    assert len(page.all("textarea")) == 25
    page = send(
        client, "drm_many", page.fields(), go="2", **{f"v-{names[3]}": "reject", f"r-{names[3]}": "no"}
    )
    assert "1 of 200 decided" in page.text
    page = send(
        client, "drm_many", page.fields(), go="8", **{f"v-{names[30]}": "edit", f"t-{names[30]}": "- Mine"}
    )
    page = send(client, "drm_many", page.fields(), go="1", **{f"v-{names[200]}": "approve"})
    assert page.fields()[f"r-{names[3]}"] == "no"
    page = send(client, "drm_many", page.fields(), go="confirm")
    done = commit(client, "drm_many", confirmed(page))
    assert "2 changes committed. 1 rejected" in done.text
    assert "197 still wait" in done.text
    assert home.state.files("team")["/notes.md"].endswith("- Mine\n- Lesson number 200\n")


def test_all_of_two_hundred_are_approved_in_three_steps(home: Home, writing: Writing):
    """The button that marks the rest, the confirmation, the commit."""
    held_changes(home, 200)
    client = writing(home)
    page = send(client, "drm_many", reading(client, "drm_many").fields(), bulk="approve-rest")
    assert "200 of 200 decided" in page.text
    page = send(client, "drm_many", page.fields(), go="confirm")
    assert "Nothing of this dream waits any more" in page.text
    commit(client, "drm_many", confirmed(page))
    assert statuses(home, "drm_many") == ["committed"] * 200


def test_several_are_marked_at_once_without_a_script(own: Home, writing: Writing):
    """Ticked and approved, ticked and rejected with one reason, undecided again; flags need an answer of their own."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    page = reading(client, dream)
    ticked = {f"x-{names[number]}": "1" for number in (1, 2)}
    page = send(client, dream, page.fields() | ticked, bulk="approve")
    assert "2 of 13 decided" in page.text
    page = send(client, dream, page.fields() | {f"x-{names[2]}": "1"}, bulk="clear")
    assert "1 of 13 decided" in page.text
    reason = {f"x-{names[5]}": "1", f"x-{names[6]}": "1", "bulk-reason": "too specific"}
    page = send(client, dream, page.fields() | reason, bulk="reject")
    assert page.fields()[f"r-{names[6]}"] == "too specific"
    page = send(client, dream, page.fields(), bulk="approve-rest")
    assert "12 of 13 decided" in page.text


def test_a_rejection_without_a_reason_is_asked_about_where_it_stands(own: Home, writing: Writing):
    """And nothing else is done meanwhile."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    choices = {f"v-{names[1]}": "approve", f"v-{names[2]}": "reject", f"r-{names[2]}": "   "}
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **choices)
    assert [one.text for one in page.all("p", role="alert")] == [
        "A rejection needs a reason: later dreams are shown it."
    ]
    assert "2 of 13 decided" in page.text
    page = send(client, dream, page.fields(), go="confirm", **{f"v-{names[2]}": "edit", f"t-{names[2]}": " "})
    assert "Your own text is empty" in page.text
    assert set(statuses(own, dream)) == {"held"}


def test_no_decision_is_no_commit(own: Home, writing: Writing):
    """An empty form leads back to the changes, and its commit does nothing."""
    client, dream = writing(own), dream_id(own)
    page = send(client, dream, reading(client, dream).fields(), go="confirm")
    assert "Nothing is decided yet" in page.text
    token = Page(client.get(f"/dreams/{dream}/review").text).fields()
    names = ids(own, dream)
    filled = send(client, dream, token, go="confirm", **{f"v-{names[1]}": "approve"})
    empty = {name: value for name, value in confirmed(filled).items() if not name.startswith("v-")}
    commit(client, dream, empty)
    assert set(statuses(own, dream)) == {"held"}


def test_a_store_that_moved_is_told_and_shown_anew_before_anything_is_written(own: Home, writing: Writing):
    """What was confirmed was about another version."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **{f"v-{names[1]}": "approve"})
    edit = MemoryEdit(path="/learned.md", content="# By hand\n", expected_sha256=None)
    own.state.commit("example", [edit], base_version=1, actor=own.actor("bob"), message="by hand")
    answer = client.post(f"/dreams/{dream}/commit", data=confirmed(page) | {"note": "as I said"})
    assert answer.status_code == 409
    again = Page(answer.text)
    assert "is at version 2 now; somebody committed since you looked" in again.text
    assert "Version 3 of example is written" in again.text
    assert again.fields()["note"] == "as I said"
    assert own.state.get_store("example").version == 2
    assert set(statuses(own, dream)) == {"held"}
    done = commit(client, dream, confirmed(again))
    assert "Version 3 of example is written. 1 change committed" in done.text


def test_a_change_that_somebody_decided_meanwhile_is_told_and_left(own: Home, writing: Writing):
    """The rest is still what the reviewer wants, and is shown before it is done."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    choices = {
        f"v-{names[1]}": "approve",
        f"v-{names[2]}": "approve",
        f"v-{names[7]}": "reject",
        f"r-{names[7]}": "no",
    }
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **choices)
    review.reject(own.state, dream, reviewer="bob", reason="not ours", only=[names[2], names[7]])
    again = commit(client, dream, confirmed(page))
    assert "Change 2 is rejected since (not ours); it is left as it is." in again.text
    assert "Change 7 is rejected since" in again.text
    assert "with 1 change in 1 memory" in again.text
    assert statuses(own, dream)[:2] == ["held", "rejected"]
    commit(client, dream, confirmed(again))
    assert statuses(own, dream)[:2] == ["committed", "rejected"]


def test_a_change_that_was_dreamt_anew_must_be_looked_at_again(own: Home, writing: Writing):
    """The same id with other quotes is another proof."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **{f"v-{names[1]}": "approve"})
    report = own.state.dream(dream)
    fresh = report.changes[0].model_copy(update={"quotes": report.changes[0].quotes[:1]})
    own.state.save_dream(report.model_copy(update={"changes": (fresh, *report.changes[1:])}))
    again = commit(client, dream, confirmed(page))
    assert "Change 1 is not what you looked at: it was dreamt anew" in again.text
    assert set(statuses(own, dream)) == {"held"}
    commit(client, dream, confirmed(again))
    assert statuses(own, dream)[0] == "committed"


def test_words_that_may_not_be_stored_are_refused_before_the_commit(own: Home, writing: Writing):
    """The scan of every commit, told on the page that asks."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    secret = "AKIA" + "QWERTYUIOPASDFGH"
    mine = {f"v-{names[1]}": "edit", f"t-{names[1]}": f"- The key is {secret}."}
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **mine)
    assert "Nothing can be written as it stands" in page.text
    assert "secret" in page.text
    assert not page.all("form", id="commit")
    names_of_ids = [one.attributes.get("id") for one in page.all("button")]
    assert "do-commit" not in names_of_ids
    assert "back" in names_of_ids


def test_a_pinned_entry_stops_its_change_and_says_how_to_unpin(own: Home, writing: Writing):
    """Before the commit, and in the terminal's own words."""
    from agentflows import lineage

    client, dream = writing(own), dream_id(own)
    change = next(one for one in own.state.dream(dream).changes if one.op == "narrow")
    pinned = lineage.find_entry(own.state.files("example"), change.entry_ids[0])
    own.state.pin("example", pinned, actor=own.actor("bob"))
    page = send(
        client, dream, reading(client, dream).fields(), go="confirm", **{f"v-{change.change_id}": "approve"}
    )
    assert "What cannot be carried out" in page.text
    assert "agentflows memory unpin" in page.text
    assert "Nothing is written into example" in page.text


def test_an_answer_that_does_not_fit_is_said_with_the_number_of_the_change(own: Home, writing: Writing):
    """Two paragraphs are not one entry."""
    client, dream = writing(own), dream_id(own)
    number, flag = next(
        (n, one) for n, one in enumerate(own.state.dream(dream).changes, 1) if one.op == "flag"
    )
    mine = {f"v-{flag.change_id}": "edit", f"t-{flag.change_id}": "One.\n\nTwo."}
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **mine)
    assert f"The text for change {number} is not one paragraph or list item" in page.text
    assert not page.all("form", id="commit")


def test_a_text_that_was_left_as_it_is_counts_as_the_dreams_own(own: Home, writing: Writing):
    """Opening the field is no edit."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **{f"v-{names[1]}": "edit"})
    commit(client, dream, confirmed(page))
    assert own.state.decisions(dream)[0].edited_after is None


def test_an_approval_whose_commit_was_cut_off_is_finished(own: Home, writing: Writing):
    """It waits like the others, says so, and can only be approved."""
    client, dream = writing(own), dream_id(own)
    name = ids(own, dream)[1]
    own.state.decide(name, "approved", reviewer="bob", reason="yes")
    page = reading(client, dream)
    assert "its commit was cut off" in page.text
    assert [one.attributes["value"] for one in page.all("input", type="radio", name=f"v-{name}")] == [
        "",
        "approve",
    ]
    page = send(client, dream, page.fields(), go="confirm", **{f"v-{name}": "approve"})
    commit(client, dream, confirmed(page))
    assert statuses(own, dream)[0] == "committed"


def test_the_same_commit_sent_twice_is_made_once(own: Home, writing: Writing):
    """A double click, or the page loaded again."""
    client, dream = writing(own), dream_id(own)
    name = ids(own, dream)[1]
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **{f"v-{name}": "approve"})
    fields = confirmed(page)
    commit(client, dream, fields)
    again = commit(client, dream, fields)
    assert "Change 1 is committed since" in again.text
    assert own.state.get_store("example").version == 2


def test_going_back_from_the_confirmation_loses_nothing(own: Home, writing: Writing):
    """Marks, reasons and texts are as they were."""
    client, dream = writing(own), dream_id(own)
    names = ids(own, dream)
    choices = {
        f"v-{names[1]}": "reject",
        f"r-{names[1]}": "no",
        f"v-{names[2]}": "edit",
        f"t-{names[2]}": "- Mine",
    }
    page = send(client, dream, reading(client, dream).fields(), go="confirm", **choices)
    forms = [place for place, one in enumerate(page.elements) if one.tag == "form"]
    back = Page("")
    back.elements = page.elements[forms[-2] : forms[-1]]
    fields = send(client, dream, back.fields()).fields()
    assert {name: fields[name] for name in choices} == choices


def test_a_dream_into_a_copy_is_committed_to_the_copy(home: Home, writing: Writing):
    """And the page says which store that is."""
    store = held_changes(home, 2)
    report = home.state.dream("drm_many")
    copy = home.state.copy_store(store.store_id, "team 2", actor=home.actor("ada"))
    into = report.dream.model_copy(update={"output": "create_new", "output_store_id": copy.store_id})
    home.state.save_dream(report.model_copy(update={"dream": into}))
    client = writing(home)
    page = send(client, "drm_many", reading(client, "drm_many").fields(), bulk="approve-rest")
    page = send(client, "drm_many", page.fields(), go="confirm")
    assert "Version 2 of team 2 is written" in page.text
    commit(client, "drm_many", confirmed(page))
    assert home.state.get_store(store.store_id).version == 1
    assert "Lesson number 2" in home.state.files(copy.store_id)["/notes.md"]


def test_the_texts_on_the_page_are_bound_by_their_hash(own: Home, writing: Writing):
    """What the form carries for each change is the sha256 an approval binds."""
    client, dream = writing(own), dream_id(own)
    fields = reading(client, dream).fields()
    for change in own.state.dream(dream).changes:
        assert fields[f"s-{change.change_id}"] == change.sha256
        assert len(sha256("")) == len(change.sha256)
