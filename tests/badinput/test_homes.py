"""Homes that are damaged, newer, archived or changed under a dream: refused in one line, never half-written."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import StoreError, UsageError
from agentflows.home import open_home
from agentflows.memory import MemoryEdit, sha256
from tests.badinput.command import run

EVERY_DOOR = [["memory", "list"], ["review", "list"], ["review", "approve", "last"]]


def spoil(path: Path, data: bytes = b"this is not what was here before") -> None:
    path.write_bytes(data)


@pytest.mark.parametrize("words", EVERY_DOOR)
def test_a_state_that_is_no_database_is_one_line_and_left_alone(folder: Path, words: list[str]):
    """It is not overwritten: a backup tool, or a person, may still save what is in it."""
    for log in folder.glob("state.db-*"):
        log.unlink()
    spoil(folder / "state.db", b"garbage" * 1_000)
    run(folder, *words).failed(1, "state.db", "Restore it from a backup")
    assert (folder / "state.db").read_bytes() == b"garbage" * 1_000


def test_a_state_with_damaged_pages_serves_nothing_of_them(folder: Path):
    """Whatever command meets the damage says so; none prints a trace."""
    path = folder / "state.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 4 :] = os.urandom(len(data) - len(data) // 4)
    path.write_bytes(data)
    for words in [*EVERY_DOOR, ["review", "show", "last"], ["memory", "history", "--store", "example"]]:
        run(folder, *words).failed(1, "state.db", "backup")


def test_a_newer_state_is_not_touched(folder: Path):
    """An older agentflows does not guess what a newer one meant."""
    connection = sqlite3.connect(folder / "state.db")
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    for words in EVERY_DOOR:
        run(folder, *words).failed(1, "layout 99", "upgrade")


@pytest.mark.parametrize("table", ["sessions", "turns", "texts"])
@pytest.mark.parametrize("damage", ["cut", "removed"])
def test_damaged_sessions_stop_a_dream_and_are_found_by_verify(folder: Path, table: str, damage: str):
    """No dream is made of what happened to be readable; the message names the command that finds the damage."""
    (path,) = (folder / "archive" / table).glob("*.parquet")
    if damage == "cut":
        spoil(path, path.read_bytes()[:300])
    else:
        path.unlink()
    run(folder, "archive", "search", "make").failed(1, "agentflows archive verify")
    with open_home(folder) as home, pytest.raises(Exception, match="archive verify"):
        dream_over(home, DreamRequest(store="example", engine="rules", support=3))
    done = run(folder, "archive", "verify")
    assert (done.code, path.name in done.out) == (1, True)
    with open_home(folder) as home:
        earlier, *later = home.state.dreams()
        assert earlier.status == "completed"
        assert {one.status for one in later} <= {"failed"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [(b'"schema":1', b'"schema":99', "Update agentflows"), (b"{", b"{{", "Restore it, or delete it")],
)
def test_a_manifest_that_is_newer_or_damaged_is_named(folder: Path, old: bytes, new: bytes, says: str):
    """Sessions are not left out silently."""
    (path,) = (folder / "archive" / "manifest").glob("*.json")
    assert old in path.read_bytes()
    spoil(path, path.read_bytes().replace(old, new, 1))
    run(folder, "archive", "stats").failed(1, path.name, says)


@pytest.mark.parametrize("data", [b"", b"not hex", b"abcd"])
def test_a_damaged_key_is_said_before_anything_is_written(folder: Path, data: bytes):
    """Under another key every secret would get another placeholder, and old sessions would seem changed."""
    spoil(folder / "redaction.key", data)
    with open_home(folder) as home:
        before = home.archive.stats()
    run(folder, "ingest", "-").failed(2, "redaction.key", "backup")
    with open_home(folder) as home:
        assert home.archive.stats() == before


def test_a_home_below_a_file_is_one_line(tmp_path: Path):
    """The system's words for it are no help; where and what to do are."""
    (tmp_path / "file").touch()
    run(tmp_path / "file" / "home", "memory", "list").failed(2, "--home", "AGENTFLOWS_HOME")


def test_an_archive_that_is_a_file_is_one_line(folder: Path):
    """A folder was expected."""
    shutil.rmtree(folder / "archive")
    (folder / "archive").touch()
    run(folder, "archive", "stats").failed(1, "archive", "folder")


# -- the store changed under the dream ------------------------------------------------------------------


def entry_of(folder: Path, op: str) -> tuple[str, str, str]:
    """The number, entry and path of the first held change of this kind."""
    with open_home(folder) as home:
        report = home.state.dream(home.state.dreams()[0].dream_id)
    number, change = next(
        (number, change) for number, change in enumerate(report.changes, 1) if change.op == op
    )
    return str(number), change.before or "", change.path


def rewrite(folder: Path, path: str, old: str, new: str) -> None:
    """Edit a memory by hand."""
    with open_home(folder) as home:
        text = home.state.files("example")[path]
        assert old in text
        edit = MemoryEdit(path=path, content=text.replace(old, new), expected_sha256=sha256(text))
        home.state.commit("example", [edit], base_version=None, actor=home.actor("grace"))


def test_a_change_to_an_entry_that_moved_is_refused_and_the_rest_goes_in(folder: Path):
    """What a person wrote meanwhile is not overwritten, and what still fits is not lost."""
    number, entry, path = entry_of(folder, "supersede")
    rewrite(folder, path, entry.strip(), "- Somebody knew better.")
    done = run(folder, "review", "approve", "last", "--json")
    result = done.json()
    assert len(result["refused"]) == 1  # pyright: ignore[reportArgumentType]
    assert "no longer stands" in str(result["refused"])
    assert result["committed"]
    assert "Traceback" not in done.err
    with open_home(folder) as home:
        assert "- Somebody knew better." in home.state.files("example")[path]
        change = home.state.dream(home.state.dreams()[0].dream_id).changes[int(number) - 1]
        assert change.status == "expired"


def test_the_next_dream_starts_from_the_store_as_it_is(folder: Path):
    """What was refused is proposed anew, for the entry as it stands now, if it still holds."""
    _, entry, path = entry_of(folder, "supersede")
    rewrite(folder, path, entry.strip(), entry.strip() + " Ask before you change it.")
    with open_home(folder) as home:
        name = home.state.dreams()[0].dream_id
        review.approve(home.state, name, reviewer="ada", scan=home.secret_in)
        report = dream_over(home, DreamRequest(store="example", engine="rules"))
        assert report.dream.dream_id != name
        assert report.dream.base_version == home.state.get_store("example").version


# -- an archived store ------------------------------------------------------------------------------------


def test_an_archived_store_takes_no_approval(folder: Path):
    """Nothing is decided either: the changes wait as they did."""
    with open_home(folder) as home:
        store = home.state.archive_store("example", actor=home.actor("grace"))
        before = home.state.dream(home.state.dreams()[0].dream_id)
    run(folder, "review", "approve", "last").failed(1, "archived, which is final")
    with open_home(folder) as home:
        assert home.state.dream(before.dream.dream_id).changes == before.changes
        assert home.state.decisions() == []
        assert home.state.get_store(store.store_id).version == 1


def test_an_archived_store_is_dreamt_over_only_into_a_copy(folder: Path):
    """Said before a session is read."""
    with open_home(folder) as home:
        store = home.state.archive_store("example", actor=home.actor("grace"))
        request = DreamRequest(store=store.store_id, engine="rules", support=3)
        with pytest.raises(UsageError, match=r"archived.*create_new"):
            dream_over(home, request)
        report = dream_over(home, request.model_copy(update={"output": "create_new"}))
        result = review.approve(home.state, report.dream.dream_id, reviewer="ada", scan=home.secret_in)
        assert result.store_name != "example"
        with pytest.raises(StoreError, match="archived"):
            home.state.commit(store.store_id, [], base_version=None, actor=home.actor("grace"))
