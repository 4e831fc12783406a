"""What is new, what grew, what stayed, what contradicts."""

from dataclasses import replace
from pathlib import Path

import pytest

from agentflows.archive import Archive
from agentflows.archive.adding import Together
from agentflows.errors import ArchiveError, NotFoundError
from agentflows.session import OutcomeLabel, Quarantined, RawLine, Session, SourceRead
from tests.archive.builders import plausible, session, source


def longer(base: Session, *events: tuple[object, ...]) -> Session:
    """The same session, gone on."""
    more = session(base.session_id, *events).turns
    shifted = [
        replace(turn, seq=turn.seq + len(base.turns), line=turn.line + len(base.turns)) for turn in more
    ]
    return base.model_copy(update={"turns": (*base.turns, *shifted)})


HELLO = session("s1", ("user", "Hello"), ("agent", "Hello, what shall I do?"))


def test_sessions_come_back_as_they_were_added(archive: Archive):
    """What a quote points at must be what was read."""
    made = [plausible(number) for number in range(5)]
    report = archive.add(source(item) for item in made)
    assert (report.added, report.files, report.turns) == (5, 5, sum(len(item.turns) for item in made))
    wanted = [made[3], made[0], made[4]]
    assert list(archive.sessions([item.session_id for item in wanted])) == wanted


def test_the_same_file_is_skipped_whole(archive: Archive):
    """Ingest is idempotent by content."""
    archive.add([source(HELLO)])
    before = archive.fingerprint()
    report = archive.add([source(HELLO)])
    assert (report.files, report.unchanged_files, report.unchanged, report.added, report.lines) == (
        1,
        1,
        1,
        0,
        0,
    )
    assert archive.fingerprint() == before
    assert archive.stats().parts == 1


def test_a_source_is_known_by_its_bytes_and_reader(archive: Archive):
    """A newer reader may read more from the same bytes."""
    read = source(HELLO)
    assert not archive.has_source(read.sha256)
    archive.add([read])
    assert archive.has_source(read.sha256)
    assert archive.has_source(read.sha256, reader="test/1")
    assert not archive.has_source(read.sha256, reader="test/2")


def test_the_same_session_in_another_file_writes_nothing_new(archive: Archive):
    """A copied log is no second session."""
    archive.add([source(HELLO)])
    report = archive.add([source(HELLO, file="copy.jsonl")])
    assert (report.unchanged, report.added, report.turns) == (1, 0, 0)
    assert archive.stats().turns == 2


def test_a_session_that_grew_replaces_its_earlier_turns(archive: Archive):
    """Logs are appended to while the agent works."""
    grown = longer(HELLO, ("user", "Fix the build"), ("agent", "Done"))
    archive.add([source(HELLO, file="log")])
    report = archive.add([source(grown, file="log")])
    assert (report.grown, report.added, report.changed) == (1, 0, 0)
    assert list(archive.sessions(["s1"])) == [grown]
    assert archive.stats().turns == 4
    assert archive.sql("SELECT count(*) FROM turns").rows == [(4,)]
    assert archive.sql("SELECT count(*) FROM texts").rows == [(4,)]


def test_an_older_copy_of_a_grown_session_changes_nothing(archive: Archive):
    """Backups are ingested out of order."""
    grown = longer(HELLO, ("user", "Fix the build"))
    archive.add([source(grown, file="log")])
    report = archive.add([source(HELLO, file="backup")])
    assert (report.unchanged, report.changed) == (1, 0)
    assert list(archive.sessions(["s1"])) == [grown]


def test_a_session_that_gained_its_outcome_replaces_the_unlabelled_one(archive: Archive):
    """Rewards arrive after the work."""
    labelled = HELLO.model_copy(update={"outcome": OutcomeLabel(verdict="success", source="human")})
    archive.add([source(HELLO)])
    assert archive.add([source(labelled)]).grown == 1
    assert archive.info()[0].verdict == "success"


def test_a_session_that_changed_otherwise_is_flagged_and_the_first_version_stays(archive: Archive):
    """A rewritten past is a sign of tampering: evidence already quoted must not move."""
    other = session("s1", ("user", "Hello"), ("agent", "Something else entirely"))
    archive.add([source(HELLO)])
    report = archive.add([source(other)])
    assert (report.changed, report.changed_sessions, report.grown) == (1, ("s1",), 0)
    assert list(archive.sessions(["s1"])) == [HELLO]
    assert archive.sql("SELECT session_id, changed FROM sessions").rows == [("s1", True)]
    again = archive.add([source(other, file="elsewhere")])
    assert (again.changed, again.unchanged) == (0, 1)


def test_a_flipped_outcome_is_flagged(archive: Archive):
    """A label that changes after the fact is as suspicious as a turn that does."""
    good = HELLO.model_copy(update={"outcome": OutcomeLabel(verdict="success", source="reward")})
    bad = HELLO.model_copy(update={"outcome": OutcomeLabel(verdict="failure", source="reward")})
    archive.add([source(good)])
    assert archive.add([source(bad)]).changed == 1
    assert archive.info()[0].verdict == "success"


def test_a_newer_reader_replaces_what_an_older_one_read(archive: Archive):
    """Re-reading after an upgrade is no tampering; an older installation does not undo it."""
    newer = session("s1", ("user", "Hello"), ("thinking", "…"), ("agent", "Hi"), reader="test/2")
    archive.add([source(HELLO, file="log", sha256="0" * 64)])
    assert archive.add([source(newer, file="log", sha256="0" * 64)]).reread == 1
    assert list(archive.sessions(["s1"])) == [newer]
    assert archive.add([source(HELLO, file="elsewhere")]).unchanged == 1
    assert list(archive.sessions(["s1"])) == [newer]


def test_one_add_may_hold_two_versions_of_a_session(archive: Archive):
    """A folder can hold a log and its older copy."""
    grown = longer(HELLO, ("user", "Go on"))
    report = archive.add([source(HELLO, file="a"), source(grown, file="b"), source(HELLO, file="c")])
    assert (report.added, report.grown, report.unchanged) == (1, 1, 1)
    assert list(archive.sessions(["s1"])) == [grown]


def test_quarantined_lines_are_kept_and_counted(archive: Archive):
    """Accepted + quarantined == lines, and nothing is lost silently."""
    bad = Quarantined("log.jsonl", 7, "not JSON", '{"half')
    report = archive.add([source(HELLO, file="log.jsonl", quarantined=(bad,), redactions={"api_key": 2})])
    assert report.accepted + report.quarantined == report.lines == 3
    assert report.redactions == {"api_key": 2} == archive.stats().redactions
    assert archive.quarantine() == [bad]
    assert archive.stats().quarantined == 1


def test_a_file_that_gave_no_session_is_remembered(archive: Archive):
    """Its bad lines count until a longer copy of the file makes them good."""
    bad = Quarantined("log.jsonl", 1, "truncated", '{"a')
    empty = SourceRead(
        file="log.jsonl", sha256="1" * 64, format="test", lines=1, accepted=0, quarantined=(bad,)
    )
    archive.add([empty])
    assert archive.has_source("1" * 64)
    assert archive.quarantine() == [bad]
    archive.add([source(HELLO, file="log.jsonl")])
    assert archive.quarantine() == []


def test_many_sessions_are_written_in_several_parts(tmp_path: Path):
    """Memory stays bounded however many sessions one add brings."""
    made = [plausible(number) for number in range(12)]
    with Archive(tmp_path / "archive", part_chars=60_000) as archive:
        archive.add(source(item) for item in made)
        assert archive.stats().parts > 2
        assert list(archive.sessions([item.session_id for item in made])) == made


def test_an_unknown_session_is_named_before_anything_is_read(archive: Archive):
    """A typing error must not cost a long read."""
    archive.add([source(HELLO)])
    with pytest.raises(NotFoundError, match="no session 's2'"):
        archive.sessions(["s1", "s2"])


def test_what_many_threads_add_at_once_is_published_together_and_each_gets_its_own_report(archive: Archive):
    """One batch for a crowd of runs that end together; what one cannot add is that one's error alone."""
    line = RawLine(line=1, text="half of a pair: \ud800")
    bad = source(session("bad", ("user", "Hello"))).model_copy(update={"raw": (line,)})
    groups = [[source(plausible(number))] for number in range(3)]
    together = Together(archive._lake, archived=lambda _: None)  # pyright: ignore[reportPrivateUsage]
    found = together.add_each([*groups, [bad]])
    assert [getattr(one, "added", None) for one in found] == [1, 1, 1, None]
    assert isinstance(found[3], ArchiveError)
    assert len(archive.info()) == 3
    more = [[source(plausible(number))] for number in (7, 8)]
    before = archive.stats().parts
    assert [getattr(one, "added", None) for one in together.add_each(more)] == [1, 1]
    assert archive.stats().parts == before + 1
    assert archive.add_with_others(groups[0]).unchanged == 1
