"""Several homes over one state share one key, so that a secret has one placeholder wherever it is read."""

import json
from pathlib import Path

import pytest

from agentflows.errors import CorruptionError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from tests.home.test_key import SECRET
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["s3", "s3_server"]


def opened(tmp_path: Path, name: str, **settings: str) -> Home:
    """A machine's own home, with the state that all share."""
    return open_home(tmp_path / name, state_url=f"sqlite:///{tmp_path / 'state.db'}", **settings)


def test_the_first_homes_key_is_everybodys(tmp_path: Path):
    """Also when the second has made one of its own before it joined."""
    with open_home(tmp_path / "two") as alone:
        apart = alone.redactor().redact(SECRET)
    with opened(tmp_path, "one") as one, opened(tmp_path, "two") as two, opened(tmp_path, "three") as three:
        texts = {str(home.redactor().redact(SECRET)) for home in (one, two, three)}
    assert len(texts) == 1
    assert str(apart) not in texts
    with open_home(tmp_path / "one") as alone:
        assert str(alone.redactor().redact(SECRET)) in texts


def test_a_key_that_is_not_what_was_agreed_is_refused(tmp_path: Path):
    """A made-up one would split the placeholders of a secret."""
    import sqlite3

    with opened(tmp_path, "one") as one:
        one.redactor()
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("UPDATE runner_state SET state = ?", ["ab" * 32])
    with opened(tmp_path, "two") as two, pytest.raises(CorruptionError, match="damaged"):
        two.redactor()


def test_two_machines_that_read_the_same_log_archive_it_once(tmp_path: Path, s3: S3Server):
    """Under two keys its text would differ, and the session be flagged as contradicting itself."""
    logs = tmp_path / "logs"
    logs.mkdir()
    message = {"role": "user", "content": f"Use this: {SECRET}"}
    reply = {"role": "assistant", "content": "Done."}
    (logs / "one.json").write_text(json.dumps({"messages": [message, reply]}))
    url = f"{s3.new_bucket()}/archive"
    with opened(tmp_path, "one", archive_url=url) as one, opened(tmp_path, "two", archive_url=url) as two:
        assert ingest_files(one, [logs / "one.json"]).added == 1
        # another file of the same conversation, so that its bytes do not tell that it was read
        (logs / "one.json").write_text(json.dumps({"messages": [message, reply]}, indent=1))
        report = ingest_files(two, [logs / "one.json"])
        assert (report.added, report.unchanged, report.changed) == (0, 1, 0)
        assert two.archive.search("REDACTED")
        assert not two.archive.search(SECRET[10:30])
