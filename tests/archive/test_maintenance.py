"""Merging, forgetting, reading raw lines again, checking."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from agentflows import readers
from agentflows.archive import Archive
from agentflows.errors import ArchiveError
from agentflows.session import Quarantined, RawLine, Session, SourceRead
from tests.archive.builders import plausible, session, source

MADE = {item.session_id: item for item in (plausible(number, steps=6) for number in range(12))}


def parquet(archive: Archive) -> list[Path]:
    """All Parquet files of the archive."""
    return sorted(Path(archive.root).glob("*/*.parquet"))


def bytes_of(archive: Archive) -> str:
    """All that the folder holds, as text: Parquet statistics and manifests are not compressed."""
    return "".join(
        path.read_bytes().decode("latin-1") for path in Path(archive.root).rglob("*") if path.is_file()
    )


def rows_of(archive: Archive) -> str:
    """Every row of every Parquet file: what is compressed does not hide in it."""
    with duckdb.connect() as connection:
        return "".join(
            str(connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall())
            for path in Path(archive.root).rglob("*.parquet")
        )


def reread(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
    """A reader of the builders' raw lines: finds the turns by session id and text."""
    assert kind == "test"
    texts: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for line in lines:
        session_id, seq, text = json.loads(line.text)
        texts[session_id][seq] = text
    sessions = [
        MADE[session_id].model_copy(
            update={
                "turns": tuple(turn for turn in MADE[session_id].turns if found.get(turn.seq) == turn.text)
            }
        )
        for session_id, found in texts.items()
    ]
    return SourceRead(
        file=file, sha256="", format=kind, lines=len(lines), accepted=len(lines), sessions=tuple(sessions)
    )


def test_compaction_merges_and_changes_nothing(archive: Archive):
    """Many small adds leave many small files."""
    for item in MADE.values():
        archive.add([source(item, quarantined=(Quarantined("f", 1, "why", item.session_id),))])
    fingerprint, stats, quarantine = archive.fingerprint(), archive.stats(), archive.quarantine()
    patterns = [archive.pattern(pattern.name) for pattern in archive.patterns()]
    report = archive.compact()
    assert (report.parts_before, report.parts_after, report.orphans) == (12, 1, 0)
    assert report.bytes_after < report.bytes_before
    assert len(parquet(archive)) == 6
    assert (archive.fingerprint(), archive.quarantine()) == (fingerprint, quarantine)
    assert archive.stats().model_copy(update={"bytes": 0, "parts": 0}) == stats.model_copy(
        update={"bytes": 0, "parts": 0}
    )
    assert [archive.pattern(pattern.name) for pattern in archive.patterns()] == patterns
    assert list(archive.sessions(list(MADE))) == list(MADE.values())
    assert archive.verify() == []
    assert archive.compact().parts_after == 1


def test_what_was_compacted_is_still_known(archive: Archive):
    """An unchanged file stays unchanged."""
    reads = [source(item) for item in MADE.values()]
    for read in reads:
        archive.add([read])
    archive.compact()
    archive.compact()
    assert archive.add(reads).unchanged_files == len(reads)


def test_compaction_drops_superseded_rows_and_keeps_flagged_ones(archive: Archive):
    """A grown session's earlier version is of no use; a contradicting one is evidence."""
    short = session("s", ("user", "Hello"))
    grown = session("s", ("user", "Hello"), ("agent", "Distinct later words"))
    other = session("s", ("user", "Tampered with"), ("agent", "Distinct later words"))
    for version in (short, grown, other):
        archive.add([source(version, file="log")])
    archive.compact()
    assert archive.sql("SELECT session_id, turns, changed FROM sessions").rows == [("s", 2, True)]
    assert archive.sql("SELECT count(*) FROM turns").rows == [(2,)]
    assert archive.add([source(other, file="again")]).changed == 0
    assert archive.verify() == []


def test_a_process_that_reads_meanwhile_follows_a_compaction(archive: Archive):
    """Its listing is old, the files are gone: it looks again."""
    for item in MADE.values():
        archive.add([source(item)])
    with Archive(archive.root) as reader:
        stream = reader.sessions(list(MADE))
        assert next(stream) == MADE["session-00000"]
        archive.compact()
        assert len(list(stream)) == 11
        assert reader.stats().parts == 1
        assert reader.turn("session-00003", 0) == MADE["session-00003"].turns[0]


def test_removed_sessions_leave_nothing_behind(archive: Archive):
    """Forgetting means that the words are gone from every file."""
    secret = session("gone", ("user", "the codeword is Rumpelstiltskin"))
    child = session("gone:sub", ("user", "Rumpelstiltskin again"), parent_id="gone")
    archive.add([source(secret), source(child), source(MADE["session-00001"])])
    archive.add([source(MADE["session-00002"])])
    assert archive.remove(["gone", "never-there"]) == 2
    assert {info.session_id for info in archive.info()} == {"session-00001", "session-00002"}
    assert archive.search("Rumpelstiltskin") == []
    assert "Rumpelstiltskin" not in bytes_of(archive)
    assert archive.verify() == []
    assert archive.remove(["gone"]) == 0


def test_a_removed_session_stays_out(archive: Archive):
    """The nightly ingest must not bring it back, from the same file or a longer one."""
    short = session("gone", ("user", "Hello"))
    archive.add([source(short)])
    archive.remove(["gone"])
    assert archive.add([source(short)]).unchanged_files == 1
    report = archive.add([source(session("gone", ("user", "Hello"), ("agent", "Hi")))])
    assert (report.removed, report.added) == (1, 0)
    assert archive.info() == []


def test_removing_one_session_of_a_shared_file_keeps_the_others_lines(archive: Archive):
    """A document holds many sessions; its raw lines are forgotten one by one."""
    first = plausible(1, steps=3)
    moved = tuple(  # its lines follow the first one's, as in one document
        turn.__class__(
            **{name: getattr(turn, name) for name in turn.__slots__ if name != "line"}, line=100 + turn.seq
        )
        for turn in plausible(2, steps=3).turns
    )
    second = plausible(2, steps=3).model_copy(update={"turns": moved})
    archive.add([source(first, second, file="both.json")])
    archive.remove([first.session_id])
    kept: list[str] = []

    def collect(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
        kept.extend(json.loads(line.text)[0] for line in lines)
        return SourceRead(file=file, sha256="", format=kind, lines=0, accepted=0, sessions=(second,))

    report = archive.rebuild(collect)
    assert set(kept) == {second.session_id}
    assert (report.same, report.different, report.kept, report.new) == (1, 0, 0, 0)


GONE, STAYS = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
WORD = "Rumpelstiltskin"


def logged(kind: str, session_id: str, **told: object) -> str:
    return json.dumps({"type": kind, "sessionId": session_id, "timestamp": "2026-10-01T10:00:00Z", **told})


def said(session_id: str, text: str) -> str:
    message = {"role": "user", "content": text}
    return logged("user", session_id, uuid=f"{session_id}-{text}", cwd="/w", message=message)


def test_what_gave_no_turn_of_a_removed_session_goes_too(archive: Archive, tmp_path: Path):
    """A queued prompt, a title, a line that was cut: the user's words, in the file of another session."""
    file = tmp_path / f"{GONE}.jsonl"
    lines = [
        logged("last-prompt", GONE, lastPrompt=WORD),
        logged("queue-operation", GONE, operation="enqueue", content=WORD),
        said(GONE, f"{WORD} one"),
        logged("ai-title", STAYS, aiTitle="Other"),
        said(STAYS, "Please go on."),
        said(STAYS, "Other again, and cut")[:-20],
        said(GONE, f"{WORD} cut")[:-20],
    ]
    file.write_text("\n".join(lines))
    archive.add(readers.read(file))
    assert WORD in rows_of(archive)
    archive.remove([GONE])
    assert WORD not in rows_of(archive)
    assert [bad.line for bad in archive.quarantine()] == [6]
    report = archive.rebuild(readers.read_raw)
    assert (report.same, report.different, report.kept, report.new) == (1, 0, 0, 0)


def test_what_was_refused_before_the_file_had_grown_goes_too(archive: Archive, tmp_path: Path):
    """While a line is being written, its beginning is all there is; it is quarantined as a source of its own."""
    file = tmp_path / f"{GONE}.jsonl"
    file.write_text(said(GONE, WORD)[:-20])
    archive.add(readers.read(file, alone=False))
    file.write_text(said(GONE, WORD))
    archive.add(readers.read(file))
    assert WORD in rows_of(archive)
    archive.remove([GONE])
    assert WORD not in rows_of(archive)


def test_a_rebuild_from_raw_lines_gives_the_same_row_hashes(archive: Archive):
    """Raw logs are the truth; the rest is derived."""
    items = list(MADE.values())
    archive.add([source(*items[:5], file="doc"), *(source(item) for item in items[5:])])
    bad = Quarantined("bad", 3, "not JSON", "{")
    archive.add(
        [
            source(session("kept", ("user", "x")), file="bad", quarantined=(bad,)).model_copy(
                update={"raw": ()}
            )
        ]
    )
    fingerprint = archive.fingerprint()
    report = archive.rebuild(reread)
    assert (report.same, report.different, report.kept, report.new) == (12, 0, 1, 0)
    assert archive.fingerprint() == fingerprint
    assert archive.quarantine() == [bad]
    assert archive.verify() == []
    assert list(archive.sessions(list(MADE))) == items


def test_a_rebuild_does_not_let_a_flagged_version_count(archive: Archive):
    """The contradicting copy may be the oldest source left, after the first grew."""
    versions = {
        "first": session("s", ("user", "Hello")),
        "forged": session("s", ("user", "Tampered with")),
        "grown": session("s", ("user", "Hello"), ("agent", "Hi")),
    }
    for name, item in versions.items():
        archive.add([source(item, file=name)])
    archive.compact()
    fingerprint = archive.fingerprint()

    def again(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
        return SourceRead(
            file=file,
            sha256="",
            format=kind,
            lines=len(lines),
            accepted=len(lines),
            sessions=(versions[file],),
        )

    report = archive.rebuild(again)
    assert (report.same, report.different, report.kept, report.new) == (1, 0, 0, 0)
    assert archive.fingerprint() == fingerprint
    assert archive.sql("SELECT turns, changed FROM sessions").rows == [(2, True)]


def test_a_rebuild_with_a_newer_reader_replaces(archive: Archive):
    """It is how an upgrade reaches what was archived before."""
    archive.add(source(item) for item in MADE.values())

    def newer(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
        read = reread(file, kind, lines)
        sessions = tuple(
            item.model_copy(update={"reader": "test/2", "title": "Read anew"}) for item in read.sessions
        )
        return read.model_copy(update={"sessions": sessions})

    report = archive.rebuild(newer)
    assert (report.same, report.different) == (0, 12)
    assert {info.title for info in archive.info()} == {"Read anew"}
    sha256 = source(MADE["session-00001"]).sha256
    assert archive.has_source(sha256, reader="test/2")
    assert not archive.has_source(sha256, reader="test/1")


def test_a_rebuild_that_fails_leaves_all_as_it_was(archive: Archive):
    """It is swapped in at once or not at all."""
    archive.add(source(item) for item in MADE.values())
    fingerprint, files = archive.fingerprint(), parquet(archive)

    def broken(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
        if "00007" in file:
            msg = "no"
            raise OSError(msg)
        return reread(file, kind, lines)

    with pytest.raises(OSError, match="no"):
        archive.rebuild(broken)
    assert (archive.fingerprint(), parquet(archive)) == (fingerprint, files)


def test_only_one_maintenance_at_a_time(archive: Archive):
    """Two would resurrect what one of them removed."""
    archive.add(source(item) for item in MADE.values())

    def meanwhile(file: str, kind: str, lines: Sequence[RawLine]) -> SourceRead:
        with (
            pytest.raises(ArchiveError, match="Another process is compacting"),
            Archive(archive.root) as other,
        ):
            other.compact()
        return reread(file, kind, lines)

    assert archive.rebuild(meanwhile).same == 12


def test_orphans_of_a_living_adder_are_left_alone(archive: Archive):
    """Files without a manifest may be about to get one."""
    archive.add([source(MADE["session-00001"])])
    orphan = Path(archive.root, "turns", "20260101T000000000000-dead-0000.parquet")

    def adding():
        orphan.write_bytes(b"half")
        assert archive.compact().orphans == 0
        assert orphan.exists()
        yield source(MADE["session-00002"])

    archive.add(adding())
    assert archive.compact().orphans == 1
    assert not orphan.exists()


def test_old_orphans_go_even_while_others_add(archive: Archive):
    """Age decides where nobody can be asked, as on object storage."""
    archive.add([source(MADE["session-00001"])])
    orphan = Path(archive.root, "turns", ".tmp-0123-half.parquet")

    def adding():
        orphan.write_bytes(b"half")
        assert archive.compact(orphan_age=timedelta(0)).orphans == 1
        yield source(MADE["session-00002"])

    assert archive.add(adding()).added == 1


def test_damage_is_named(archive: Archive):
    """A truncated or altered file is found by its sha256, a lost one by its absence."""
    archive.add([source(MADE["session-00001"])])
    turns, sessions = (
        min(Path(archive.root).glob("turns/*")),
        min(Path(archive.root).glob("sessions/*")),
    )
    turns.write_bytes(turns.read_bytes()[:-9])
    sessions.unlink()
    problems = archive.verify()
    assert sorted(problem.split("/")[0] for problem in problems) == ["sessions", "turns"]
    with pytest.raises(ArchiveError, match="verify` names what is damaged"):
        list(archive.sessions(["session-00001"]))


def test_a_large_archive_is_not_rewritten_for_one_session(tmp_path: Path):
    """Removing from one part leaves the files of the others alone."""
    with Archive(tmp_path / "archive", part_chars=40_000) as archive:
        archive.add(source(plausible(number)) for number in range(12))
        archive.compact()
        before = {path.name for path in Path(archive.root).glob("turns/*")}
        archive.remove(["session-00005"])
        after = {path.name for path in Path(archive.root).glob("turns/*")}
        assert len(before) > 3
        assert len(before & after) == len(before) - 1
        assert archive.stats().sessions == 11
        assert archive.verify() == []


def test_removals_and_compactions_in_any_order_keep_the_rest(tmp_path: Path):
    """Manifests that replace manifests that replaced manifests."""
    with Archive(tmp_path / "archive", part_chars=15_000) as archive:
        left: dict[str, Session] = {}
        for number in range(12):
            item = plausible(number, steps=8)
            left[item.session_id] = item
            archive.add([source(item)])
            if number % 3 == 2:
                archive.compact()
            if number % 4 == 3:
                gone = f"session-{number - 2:05d}"
                del left[gone]
                assert archive.remove([gone]) == 1
        archive.remove(["session-00011"])
        del left["session-00011"]
        archive.compact()
        assert list(archive.sessions(list(left))) == list(left.values())
        assert archive.stats().sessions == len(left)
        assert archive.verify() == []
        named = {path.name for path in Path(archive.root).glob("turns/*")}
        assert len(named) == archive.stats().parts


def test_an_emptied_archive_is_empty(archive: Archive):
    """All removed, all compacted: nothing comes back."""
    archive.add(source(item) for item in MADE.values())
    archive.remove(list(MADE))
    archive.compact()
    archive.compact()
    assert archive.stats().sessions == 0
    assert archive.sql("SELECT count(*) FROM turns").rows == [(0,)]
    assert not any(path.parent.name == "turns" for path in parquet(archive))
