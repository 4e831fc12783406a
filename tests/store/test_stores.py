"""Memory stores: names, versions, history, archives."""

import pytest

from agentflows.errors import (
    ConflictError,
    LimitError,
    NotFoundError,
    StoreError,
    UsageError,
)
from agentflows.memory import MemoryEdit, sha256, tree_sha256
from agentflows.store import State
from tests.store.conftest import START, Clock
from tests.store.samples import ADA, NOTES, edit, put, team


def test_a_new_store_is_empty_and_at_version_zero(state: State):
    """Version counts commits; nothing was committed."""
    store = state.create_store("team", "what it is", actor=ADA)
    assert (store.version, store.sha256, store.description) == (0, tree_sha256({}), "what it is")
    assert store.created_at == START
    assert state.files("team") == {}
    assert state.get_store(store.store_id) == state.get_store("team") == store


def test_names_are_unique_among_stores_in_use(state: State):
    """A name on the command line means one store; an archived one frees its name and keeps its id."""
    first = state.create_store("team", actor=ADA)
    with pytest.raises(ConflictError, match="'team' is in use"):
        state.create_store("team", actor=ADA)
    state.archive_store("team", actor=ADA)
    second = state.create_store("team", actor=ADA)
    assert state.get_store("team").store_id == second.store_id
    assert state.get_store(first.store_id).archived_at == START
    assert [store.store_id for store in state.list_stores()] == [second.store_id]
    assert len(state.list_stores(archived=True)) == 2


def test_a_missing_store_is_named_with_those_there_are(state: State):
    """The most likely cause is a typing mistake."""
    state.create_store("team", actor=ADA)
    with pytest.raises(NotFoundError, match=r"'taem'.*There are: 'team'"):
        state.get_store("taem")
    state.archive_store("team", actor=ADA)
    with pytest.raises(NotFoundError, match="archived: read it by its id"):
        state.get_store("team")


def test_an_archived_store_is_read_only_for_good(state: State):
    """As in the hosted API: reading works, writing never again."""
    team(state)
    store = state.archive_store("team", actor=ADA)
    assert state.archive_store(store, actor=ADA) == store
    assert state.files(store) == {"/notes.md": NOTES}
    with pytest.raises(StoreError, match="archived, which is final"):
        put(state, store.store_id, {"/new.md": "x"})
    with pytest.raises(StoreError, match="archived, which is final"):
        state.restore(store, 0, actor=ADA)


def test_store_limits_are_the_hosted_ones(state: State):
    """Nothing is written that could not be moved there."""
    with pytest.raises(LimitError, match="256 characters"):
        state.create_store("n" * 256, actor=ADA)
    with pytest.raises(LimitError, match="1,025 characters"):
        state.create_store("n", "d" * 1025, actor=ADA)
    team(state)
    with pytest.raises(LimitError, match="'\\.\\.'"):
        put(state, "team", {"/../x": "x"})
    with pytest.raises(LimitError, match="Split it"):
        put(state, "team", {"/big.md": "x" * 102_401})
    assert state.get_store("team").version == 1
    assert state.list_stores() == [state.get_store("team")]


def test_a_commit_is_one_version_of_many_files(state: State):
    """Created, modified and deleted together: one step of history."""
    team(state)
    put(state, "team", {"/b.md": "b", "/c.md": "c"})
    store = put(state, "team", {"/notes.md": "new", "/b.md": None, "/d.md": ""})
    assert store.version == 3
    assert state.files("team") == {"/c.md": "c", "/d.md": "", "/notes.md": "new"}
    assert store.sha256 == tree_sha256(state.files("team"))
    newest = state.versions("team", limit=3)
    assert {(version.path, version.operation) for version in newest} == {
        ("/b.md", "deleted"),
        ("/d.md", "created"),
        ("/notes.md", "modified"),
    }
    assert {version.store_version for version in newest} == {3}


def test_every_earlier_version_can_be_read(state: State):
    """History is whole: any version's tree is what was committed then."""
    team(state)
    trees = [{}, state.files("team")]
    for step in ({"/a.md": "1"}, {"/a.md": "2", "/notes.md": None}, {"/a.md": None}, {"/notes.md": "back"}):
        put(state, "team", step)
        trees.append(state.files("team"))
    for version, tree in enumerate(trees):
        assert state.files("team", version) == tree
    with pytest.raises(NotFoundError, match=r"no version 6.*0 \(empty\) to 5"):
        state.files("team", 6)


def test_versions_say_who_when_what_and_why(state: State, clock: Clock):
    """A memory without an author is a rumour."""
    team(state)
    clock.forward(hours=1)
    state.commit(
        "team", [edit(state, "team", "/notes.md", "x")], base_version=1, actor=ADA, message="shorter"
    )
    version = state.versions("team")[0]
    assert (version.created_by, version.message, version.content) == (ADA, "shorter", "x")
    assert version.content_sha256 == sha256("x")
    memory = state.memory("team", "/notes.md")
    assert memory.memory_version_id == version.memory_version_id
    assert (memory.created_at, memory.updated_at) == (START, clock.time)
    assert state.audit("team", limit=1)[0].action == "commit"


def test_a_moved_memory_keeps_its_id_and_its_history(state: State):
    """As in the hosted API, where a rename is an update."""
    team(state)
    before = state.memory("team", "/notes.md")
    put(state, "team", {"/notes.md": None, "/moved/notes.md": NOTES})
    after = state.memory("team", "/moved/notes.md")
    assert after.memory_id == before.memory_id
    assert [version.operation for version in state.versions("team", path="/notes.md")] == [
        "modified",
        "created",
    ]
    with pytest.raises(NotFoundError, match=r"no memory at '/notes.md'. It has /moved/notes.md"):
        state.memory("team", "/notes.md")


def test_an_edit_that_changes_nothing_makes_no_version(state: State):
    """A repeat of the same dream over the same input changes nothing."""
    store = team(state)
    assert put(state, "team", {}) == store
    assert put(state, "team", {"/notes.md": NOTES}) == store
    assert put(state, "team", {"/never-there.md": None}) == store
    assert len(state.audit("team")) == 2


@pytest.mark.parametrize("expected", [None, sha256("something else")])
def test_a_file_that_is_not_as_expected_stops_the_whole_commit(state: State, expected: str | None):
    """Compare and swap: no lost update, nothing half-written."""
    store = team(state)
    edits = [
        MemoryEdit(path="/new.md", content="n", expected_sha256=None),
        MemoryEdit(path="/notes.md", content="x", expected_sha256=expected),
    ]
    with pytest.raises(ConflictError, match=r"'/notes.md' changed since it was read"):
        state.commit("team", edits, base_version=1, actor=ADA)
    assert state.get_store("team") == store
    assert state.files("team") == {"/notes.md": NOTES}


def test_a_commit_from_an_old_version_is_refused(state: State):
    """Someone else committed meanwhile: read again, never overwrite."""
    team(state)
    put(state, "team", {"/b.md": "b"})
    with pytest.raises(ConflictError, match=r"at version 2, and this was made from version 1"):
        state.commit(
            "team", [MemoryEdit(path="/c.md", content="c", expected_sha256=None)], base_version=1, actor=ADA
        )


def test_one_path_has_one_edit(state: State):
    """Which of two would win is nobody's guess."""
    team(state)
    edits = [MemoryEdit(path="/x.md", content=text, expected_sha256=None) for text in "ab"]
    with pytest.raises(UsageError, match="twice"):
        state.commit("team", edits, base_version=1, actor=ADA)


def test_a_secret_stops_the_commit_and_is_not_repeated(state: State):
    """The last gate stands inside the transaction, and its message leaks nothing."""
    store = team(state)

    def scan(text: str) -> str:
        return "an API key" if "hunter2" in text else ""

    for message, content in (("fine", "it is hunter2"), ("hunter2", "fine")):
        edits = [MemoryEdit(path="/x.md", content=content, expected_sha256=None)]
        with pytest.raises(StoreError, match="an API key") as caught:
            state.commit("team", edits, base_version=1, actor=ADA, scan=scan, message=message)
        assert "hunter2" not in str(caught.value)
    assert state.get_store("team") == store


LEFT_ALONE = "# Who\n\n- Ask hunter2\n- Their door\n\n```\nlock\n\nkey\n```\n"


def secret(text: str) -> str:
    """A word, one that goes over two lines, and one that goes over an empty one."""
    return "a secret" if any(one in text for one in ("hunter2", "door\n- code", "lock\n\nkey")) else ""


@pytest.mark.parametrize(
    ("after", "is_refused"),
    [
        (LEFT_ALONE + "- more\n", False),
        (LEFT_ALONE.replace("- Their door\n", ""), False),
        ("- Their door\n\n```\nlock\n\nkey\n```\n- Ask hunter2", False),
        (LEFT_ALONE + "- Ask hunter2\n", True),
        (LEFT_ALONE.replace("- Ask hunter2", "- Ask hunter2 first"), True),
        (LEFT_ALONE.replace("door\n", "door\n- code\n"), True),
        (LEFT_ALONE + "lock\n\nkey\n", True),
    ],
)
def test_a_commit_is_asked_about_what_it_brings(state: State, after: str, is_refused: bool):  # noqa: FBT001 - a parameter
    """What a person took in stands in the way of nothing, and lends its place to nothing."""
    state.create_store("who", actor=ADA)
    put(state, "who", {"/who.md": LEFT_ALONE})
    edits = [edit(state, "who", "/who.md", after)]
    if is_refused:
        with pytest.raises(StoreError, match="a secret"):
            state.commit("who", edits, base_version=1, actor=ADA, scan=secret)
    else:
        state.commit("who", edits, base_version=1, actor=ADA, scan=secret)
    assert state.files("who")["/who.md"] == (LEFT_ALONE if is_refused else after)


def test_any_text_survives_the_round_trip(state: State):
    """NUL, carriage returns and astral characters are UTF-8 too; both databases keep every byte."""
    text = "\ufeffa\x00b\r\nc\r\u2028 🐈\t\x1b[0m"
    state.create_store("odd", actor=ADA)
    put(state, "odd", {"/ü 日本.md": text})
    assert state.files("odd") == {"/ü 日本.md": text}
    assert state.memories("odd")[0].content_sha256 == sha256(text)


def test_restore_is_a_new_version_with_the_old_tree(state: State):
    """Nothing is lost by going back, and one can go forward again."""
    team(state)
    before = state.memory("team", "/notes.md").memory_id
    put(state, "team", {"/notes.md": None, "/b.md": "b"})
    store = state.restore("team", 1, actor=ADA)
    assert (store.version, state.files("team")) == (3, {"/notes.md": NOTES})
    assert state.memory("team", "/notes.md").memory_id == before
    assert state.versions("team", limit=1)[0].message == "restore version 1"
    assert state.restore("team", 1, actor=ADA).version == 3
    state.restore("team", 2, actor=ADA)
    assert state.files("team") == {"/b.md": "b"}
    with pytest.raises(NotFoundError, match="no version 9"):
        state.restore("team", 9, actor=ADA)


def test_a_copy_is_a_store_of_its_own(state: State):
    """`create_new` leaves the input store untouched."""
    store = team(state)
    copy = state.copy_store("team", "team-2", actor=ADA)
    assert copy.sha256 == store.sha256
    put(state, "team-2", {"/notes.md": "other"})
    assert state.files("team") == {"/notes.md": NOTES}
    assert state.get_store("team") == store
    assert state.memory("team-2", "/notes.md").memory_id != state.memory("team", "/notes.md").memory_id


def test_an_empty_store_can_be_copied(state: State):
    """A first dream over a new store may ask for a copy."""
    state.create_store("empty", actor=ADA)
    copy = state.copy_store("empty", "copy", actor=ADA)
    assert (copy.version, state.files("copy")) == (0, {})
    assert state.audit(copy)[0].action == "copy_store"


def test_a_state_reopened_is_the_same(url: str):
    """Everything is in the database."""
    with State(url) as first:
        store = team(first)
    with State(url) as second:
        assert second.get_store("team") == store
        assert second.files("team") == {"/notes.md": NOTES}
        assert second.verify("team") == 2
