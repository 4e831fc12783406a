"""Which files are read, in which format, and what is said of those that are none."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentflows import readers
from agentflows.errors import NotFoundError, ReaderError, UsageError
from agentflows.redaction import Redactor
from tests.readers.logs import assistant, call, jsonl, read_bytes, text, user

LOG = jsonl(user("u1", "Use tabs."))
CHATS = jsonl({"messages": [{"role": "user", "content": "Hello."}]})


def test_each_file_of_a_folder_is_read_in_its_own_format(tmp_path: Path):
    """A folder of logs is rarely of one kind; what is no log is set aside as a whole and stops nothing."""
    (tmp_path / "sub").mkdir()
    files = {
        "a.jsonl": LOG,
        "sub/b.jsonl": CHATS,
        "c.json": b'[{"city": "Oslo"}]',
        "d.json": b'{"half": ',
        "e.txt": b"no",
        "f.jsonl": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    found = list(readers.read(tmp_path))

    assert [(Path(one.file).name, one.format, one.lines, one.accepted) for one in found] == [
        ("a.jsonl", "claude_code", 1, 1), ("c.json", "unknown", 1, 0), ("d.json", "unknown", 1, 0),
        ("f.jsonl", "unknown", 0, 0), ("b.jsonl", "messages", 1, 1),
    ]  # fmt: skip
    assert found[1].quarantined[0].reason == "unknown format: its first record has the keys ['city']"
    assert "truncated or damaged JSON" in found[2].quarantined[0].reason


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"city": "Oslo"}\n{"city": "Rome"}\n', "the keys ['city']"),
        (b'[{"city": "Oslo"}]', "the keys ['city']"),
        (b"dear diary\n", "not JSON"),
        (b'{\n "messages": [\n', "truncated or damaged JSON"),
        (b"[1, 2]", "holds no JSON object"),
        (b"\x1f\x8b\x08garbage", "gzip"),
    ],
)
def test_a_named_file_that_is_no_log_is_an_error_that_says_what_was_expected(
    tmp_path: Path, data: bytes, found: str
):
    """Who names one file wants that file: the message shows the formats, and the file's keys but not its contents."""
    path = tmp_path / "notes.json"
    path.write_bytes(data)

    with pytest.raises(ReaderError) as caught:
        list(readers.read(path))

    message = str(caught.value)
    assert "notes.json" in message
    assert found in message
    assert "tau-bench" in message
    assert "Oslo" not in message


def test_an_empty_file_is_an_empty_source(tmp_path: Path):
    """A session that never began is no mistake."""
    found = read_bytes(tmp_path, b"\n \n")

    assert (found.lines, found.accepted, found.sessions, found.quarantined) == (0, 0, (), ())


def test_a_format_that_is_named_is_believed(tmp_path: Path):
    """With a format given, a file of nothing but damaged lines is that format, damaged."""
    broken = read_bytes(tmp_path, b'{"type": "user", "mess', source="claude_code")
    foreign = read_bytes(tmp_path, CHATS, source="tau_bench")

    assert [(one.format, one.lines, one.accepted) for one in (broken, foreign)] == [
        ("claude_code", 1, 0),
        ("tau_bench", 1, 0),
    ]


def test_a_log_with_a_bad_beginning_is_still_that_log(tmp_path: Path):
    """Neither a broken first line nor a list there makes a log a document."""
    for bad in (b'{"type": "us\n', b"[1]\n", b'{"type": "us\n{"again\n'):
        found = read_bytes(tmp_path, bad + LOG)
        assert (found.format, found.accepted) == ("claude_code", 1)
        assert [one.line for one in found.quarantined] == list(range(1, bad.count(b"\n") + 1))


def test_a_document_is_recognised_on_one_line_and_on_many(tmp_path: Path):
    """Results files are written compact or indented."""
    trial: dict[str, Any] = {
        "task_id": 1,
        "trial": 0,
        "reward": 1.0,
        "info": {},
        "traj": [{"role": "user", "content": "Hi."}],
    }
    for data in (
        orjson.dumps([trial]),
        orjson.dumps([trial], option=orjson.OPT_INDENT_2),
        orjson.dumps(trial),
        jsonl(trial, {**trial, "trial": 1}),
    ):
        assert read_bytes(tmp_path, data, name="run.json").format == "tau_bench"


def test_standard_input_is_read_like_a_file(tmp_path: Path):
    """`-` is how logs come from another machine."""
    (piped,) = readers.read("-", stdin=io.BytesIO(LOG))
    filed = read_bytes(tmp_path, LOG)

    assert (piped.file, piped.sha256, piped.sessions) == ("-", filed.sha256, filed.sessions)


def test_the_sha256_is_of_the_file_as_it_stands(tmp_path: Path):
    """It decides whether a file was seen before, so it covers also what was not read."""
    path = tmp_path / "log.jsonl.gz"
    read_bytes(tmp_path, LOG, name="log.jsonl.gz")
    path.write_bytes(path.read_bytes() + b"\0" * 100)

    (found,) = readers.read(path)

    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not found.quarantined


def test_paths_that_lead_nowhere_say_so(tmp_path: Path):
    """A wrong folder must not look like a project without sessions."""
    with pytest.raises(NotFoundError, match="found nothing there"):
        list(readers.read(tmp_path / "missing"))
    with pytest.raises(NotFoundError, match="found none"):
        readers.discover(tmp_path)
    with pytest.raises(UsageError, match="'fax'"):
        list(readers.read(tmp_path, source="fax"))


def test_a_file_that_cannot_be_read_is_an_error_alone_and_quarantined_among_others(tmp_path: Path):
    """Permissions and failing disks are found out while reading, on any file of a folder."""
    if not Path("/proc/self/mem").exists():
        pytest.skip("needs a file that opens and cannot be read: /proc/self/mem is not here")
    (tmp_path / "a.jsonl").symlink_to("/proc/self/mem")
    (tmp_path / "b.jsonl").write_bytes(LOG)

    with pytest.raises(ReaderError, match=r"a\.jsonl cannot be read"):
        list(readers.read(tmp_path / "a.jsonl"))
    unread, read = readers.read(tmp_path)

    assert (unread.lines, unread.accepted, len(unread.quarantined)) == (1, 0, 1)
    assert read.accepted == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path):
    """The message names the file and what to check."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(LOG)
    path.chmod(0)

    with pytest.raises(ReaderError, match="Check its permissions"):
        list(readers.read(path))


def test_secrets_are_gone_before_anything_is_made_of_a_line(tmp_path: Path):
    """Turns, titles, raw lines: none may hold what was redacted, and what was found is counted."""
    secret = "ghp_" + "aB3dE6gH9" * 4
    lines = jsonl(
        user("u1", f"Push with {secret} please."),
        assistant("a1", call("Bash", "t1", command=f"export T={secret}"), text(secret)),
    )
    found = read_bytes(tmp_path, lines, redactor=Redactor(b"key"))

    assert secret not in repr(found)
    assert sum(found.redactions.values()) >= 3
    assert "[REDACTED:" in found.sessions[0].turns[0].text


def test_the_raw_copy_gives_the_same_sessions_again(tmp_path: Path):
    """The archive is rebuilt from it, without the native file and without the redactor."""
    secret = "ghp_" + "aB3dE6gH9" * 4
    data = jsonl(user("u1", f"Push with {secret}."), assistant("a1", call("Bash", "t1", command="git push")))
    found = read_bytes(tmp_path, data + b"broken\n", redactor=Redactor(b"key"))

    again = readers.read_raw(found.file, found.format, found.raw)

    assert again.sessions == found.sessions
    assert readers.read_raw(found.file, found.format, again.raw).sessions == found.sessions


def test_a_damaged_raw_copy_is_an_error(tmp_path: Path):
    """It was accepted once, so it is not bad input but a damaged archive."""
    found = read_bytes(tmp_path, LOG)
    (raw,) = found.raw

    with pytest.raises(ReaderError, match="Line 1 of the archived copy"):
        readers.read_raw(found.file, found.format, [type(raw)(1, raw.text[:-4])])


def test_every_format_can_be_named():
    """`--source` takes what the help says."""
    assert readers.formats() == [
        "auto",
        "agentflows",
        "claude_code",
        "tau_bench",
        "tau2_bench",
        "intercode",
        "messages",
    ]
