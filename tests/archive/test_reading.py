"""Selecting, searching, counting; and an archive that is not there."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from agentflows.archive import Archive, Selection
from agentflows.errors import ArchiveError, NotFoundError, QueryError, UsageError
from agentflows.session import Usage
from tests.archive.builders import START, plausible, session, source

DAY = timedelta(days=1)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Four sessions, one of them a sub-agent's."""
    archive.add(
        [
            source(
                session(
                    "old", ("user", "Deploy the blue service"), project="blue", agent="a", verdict="failure"
                ),
                session(
                    "new", ("user", "Write docs"), project="green", agent="a", started_at=START + 2 * DAY
                ),
                session("new:sub", ("user", "Find typos"), parent_id="new", started_at=START + 2 * DAY),
                session(
                    "tools",
                    ("user", "What broke?"),
                    ("call", "Bash", {"command": "make"}, "compiler blue screen", False),
                    ("call", "Bash", {"command": "make"}, "fatal: blue error", True),
                    ("agent", "The blue build broke."),
                    started_at=START + DAY,
                    task="t1",
                ),
            )
        ]
    )
    return archive


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["old", "tools", "new", "new:sub"]),
        (Selection(session_ids=("new", "old")), ["old", "new"]),
        (Selection(since=START + DAY), ["tools", "new", "new:sub"]),
        (Selection(until=START + DAY), ["old"]),
        (Selection(project="blue"), ["old"]),
        (Selection(agent="a", verdict="unknown"), ["new"]),
        (Selection(task="t1"), ["tools"]),
        (Selection(query="errors > 0 OR title <> ''"), ["tools"]),
        (Selection(query="true -- all", limit=2), ["new", "new:sub"]),
        (Selection(session_ids=()), []),
    ],
)
def test_a_selection_names_sessions(filled: Archive, selection: Selection, expected: list[str]):
    """By time, agent, outcome, id or query; oldest first; the limit keeps the newest."""
    assert [info.session_id for info in filled.info(selection)] == expected


@pytest.mark.parametrize(
    "query", ["no_such_column = 1", "true) UNION (SELECT 1", "true; DROP VIEW sessions", ""]
)
def test_a_selection_query_must_be_a_predicate(filled: Archive, query: str):
    """It is text from outside."""
    with pytest.raises(QueryError):
        filled.info(Selection(query=query))


def test_what_is_known_of_a_session_needs_no_turns(filled: Archive):
    """Sizes and counts are stored beside it."""
    info = filled.info(Selection(session_ids=("tools",)))[0]
    assert (info.turns, info.tool_calls, info.errors, info.root_id) == (6, 2, 1, "tools")
    assert (info.verdict, info.score, info.usage, info.started_at) == ("unknown", None, Usage(), START + DAY)
    assert filled.info(Selection(session_ids=("new:sub",)))[0].root_id == "new"


def test_turns_are_found_by_address(filled: Archive):
    """A quote is checked against exactly one turn."""
    assert filled.turn("tools", 2).text == "compiler blue screen"
    assert [turn.seq for turn in filled.turns("tools", 4, 99)] == [4, 5]
    with pytest.raises(NotFoundError, match="has no turn 6"):
        filled.turn("tools", 6)
    with pytest.raises(NotFoundError, match="no session 'nobody'"):
        filled.turn("nobody", 0)


def test_search_finds_words_of_people_first_and_tool_output_last(filled: Archive):
    """What was said and what went wrong matters more than what scrolled by."""
    hits = filled.search("BLUE")
    assert [(hit.address, hit.kind) for hit in hits] == [
        ("old#0", "user"),
        ("tools#5", "agent"),
        ("tools#4", "error"),
        ("tools#2", "tool_result"),
    ]
    assert hits[3].snippet == "compiler blue screen"
    assert [hit.address for hit in filled.search("blue", kinds=["error"])] == ["tools#4"]
    assert [hit.address for hit in filled.search("service deploy", limit=1)] == ["old#0"]
    assert filled.search("100% _'\"") == []


def test_search_wants_words(filled: Archive):
    """Blank text would match everything."""
    with pytest.raises(UsageError, match="nothing to look for"):
        filled.search("  ")
    with pytest.raises(UsageError, match="unknown kinds"):
        filled.search("x", kinds=["thoughts"])


def test_stats_count_what_counts(filled: Archive):
    """A sub-agent is a session of its own, and one with its parent."""
    stats = filled.stats()
    assert (stats.sessions, stats.root_sessions, stats.turns, stats.steps, stats.sources) == (4, 3, 9, 2, 1)
    assert stats.verdicts == {"unknown": 3, "failure": 1}
    assert (stats.first_at, stats.last_at) == (START, START + 2 * DAY)
    assert stats.formats == {"test": 4}
    assert stats.bytes > 0


def test_an_archive_that_does_not_exist_is_empty_and_stays_so(tmp_path: Path):
    """Looking must not create anything."""
    with Archive(tmp_path / "nowhere") as archive:
        assert archive.info() == []
        assert archive.stats().sessions == 0
        assert archive.search("x") == []
        assert archive.quarantine() == []
        assert archive.verify() == []
        assert not archive.has_source("0" * 64)
        assert all(archive.pattern(pattern.name) == [] for pattern in archive.patterns())
        assert archive.sql("SELECT count(*) FROM turns").rows == [(0,)]
        with pytest.raises(NotFoundError):
            archive.turn("s1", 0)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    """One line that says what to do."""
    (tmp_path / "file").write_text("in the way")
    with (
        Archive(tmp_path / "file" / "archive") as archive,
        pytest.raises(ArchiveError, match="choose a folder"),
    ):
        archive.add([source(plausible(1))])


def test_a_manifest_that_is_none_is_a_clear_error(archive: Archive):
    """A damaged archive says which file is damaged."""
    archive.add([source(plausible(1))])
    damaged = next(Path(archive.root, "manifest").iterdir())
    damaged.write_bytes(b"{")
    with (
        pytest.raises(ArchiveError, match=r"manifest/.*\.json is no manifest"),
        Archive(archive.root) as other,
    ):
        other.stats()


def test_a_newer_archive_is_refused(archive: Archive):
    """An old agentflows must not misread what a newer one wrote."""
    archive.add([source(plausible(1))])
    manifest = next(Path(archive.root, "manifest").iterdir())
    manifest.write_bytes(manifest.read_bytes().replace(b'"schema":1', b'"schema":99'))
    with pytest.raises(ArchiveError, match="Update agentflows"), Archive(archive.root) as other:
        other.stats()


def test_an_archive_may_live_behind_a_url():
    """Object storage goes through the same few calls; fsspec's memory stands in for it."""
    with Archive("memory://agentflows-test/archive") as archive:
        made = [plausible(number) for number in range(3)]
        archive.add([source(*made)])
        assert list(archive.sessions([item.session_id for item in made])) == made
        assert archive.sql("SELECT count(*) FROM sessions").rows == [(3,)]
        archive.add([source(plausible(4))])
        assert archive.compact().parts_after == 1
        assert archive.remove([made[0].session_id]) == 1
        assert archive.stats().sessions == 3
        assert archive.verify() == []
        with pytest.raises(QueryError):
            archive.sql("SELECT * FROM read_text('/etc/passwd')")


def test_a_path_that_duckdb_would_take_for_a_pattern_is_refused(tmp_path: Path):
    """`*` in a path would read other folders' files."""
    with pytest.raises(UsageError, match="Choose a path without"):
        Archive(tmp_path / "what*")


def test_times_are_naive_utc_everywhere(filled: Archive):
    """A zone that appears on the way would shift dates."""
    assert filled.sql("SELECT typeof(ts) FROM turns LIMIT 1").rows == [("TIMESTAMP",)]
    assert filled.sql("SELECT min(ts) FROM turns").rows == [(START,)]


@pytest.mark.parametrize("field", ["name", "table", "batch_id"])
def test_a_manifest_names_files_of_its_archive_only(filled: Archive, tmp_path: Path, field: str):
    """Whoever may write to a bucket could have other machines read, keep and delete files anywhere on their disks."""
    (manifest,) = (tmp_path / "archive" / "manifest").glob("*.json")
    body = json.loads(manifest.read_text("utf-8"))
    part = body["parts"][0]
    if field == "table":
        part["files"]["../outside/turns"] = part["files"].pop("turns")
    elif field == "name":
        for table in part["files"]:
            here = tmp_path / "archive" / table / f"{part['name']}.parquet"
            here.rename(tmp_path / here.name)
        part["name"] = f"../../{part['name']}"
    else:
        body["batch_id"] = "../../other"
    manifest.write_text(json.dumps(body))
    with Archive(tmp_path / "archive") as again, pytest.raises(ArchiveError, match="is no manifest"):
        again.stats()
