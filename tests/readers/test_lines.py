"""Bad lines: each is set aside with its number and a reason, and every other line of the file is read."""

import gzip
from pathlib import Path

import orjson
import pytest

from agentflows import readers
from agentflows.readers import Limits
from agentflows.redaction import Redactor
from tests.readers.logs import jsonl, read_bytes, user

GOOD = orjson.dumps(user("good", "Use tabs."))
DEEP = b'{"a":' * 65 + b"1" + b"}" * 65


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"type":"user",', "not JSON"),
        (b"plain words", "not JSON"),
        (b'{"type":"us', "not JSON: Unterminated string starting at column 9"),
        (b'{"a":"\xff"}', "not UTF-8: byte 0xff at 6"),
        (b'{"a":NaN}', "a number that is NaN"),
        (b'{"a":-Infinity}', "a number that is -Infinity"),
        (b'{"a":1e999}', "too large to hold: 1e999"),
        (b'{"a":18446744073709551616}', "more than 64 bits"),
        (b'{"a":' + b"9" * 5000 + b"}", "more than 64 bits"),
        (b'{"a":"\\ud800"}', "a lone surrogate"),
        (b'{"a":1,"a":2}', "the key 'a' stands twice"),
        (b'{"a":1,"a" :2,"b":3}', "the key 'a' stands twice"),
        (b'{"x":{"a":1,"a":1}}', "the key 'a' stands twice"),
        (DEEP, "nested deeper than 64 levels"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested deeper than 64 levels"),
        (b'{"a":' + DEEP + b',"a":1}', "the key 'a' stands twice"),
        (b"[1]", "not an object but a list"),
        (b'"words"', "not an object but a string"),
        (b"42", "not an object but a number"),
        (b"null", "not an object but null"),
        (b"true", "not an object but true or false"),
        (b'{"a":1}{"a":', "not JSON"),
        (b'{"a":1} words', "not JSON"),
    ],
)
def test_a_bad_line_is_quarantined_where_it_stands(tmp_path: Path, bad: bytes, reason: str):
    """One doubtful line costs that line: its neighbours are read, and it can be found and shown."""
    found = read_bytes(
        tmp_path, GOOD + b"\n\n" + bad + b"\n" + orjson.dumps(user("later", "Thanks.")) + b"\n"
    )

    (bad_line,) = found.quarantined
    assert (bad_line.line, found.lines, found.accepted) == (3, 3, 2)
    assert reason in bad_line.reason
    assert bad_line.raw == bad.decode(errors="replace")[:10_000]
    assert [turn.text for turn in found.sessions[0].turns] == ["Use tabs.", "Thanks."]


@pytest.mark.parametrize(
    "good",
    [b'{"a": 1}', b'{"a":1.0}', b'{"a":1.50}', b'{"a":"\\u00e9"}', b'{"a":"\\ud83d\\ude00"}', b'{"a":18446744073709551615}',
     b'{"a":"say \\"a\\": 1"}', b'{ "a" : [ ] }', b'{"a":"\\u0000"}'],
)  # fmt: skip
def test_unusual_but_sound_lines_are_accepted(tmp_path: Path, good: bytes):
    """The strict check refuses what two parsers could read differently, not what is merely written differently."""
    found = read_bytes(tmp_path, GOOD + b"\n" + good + b"\n")

    assert not found.quarantined


def test_two_objects_on_one_line_are_both_read(tmp_path: Path):
    """Two processes that appended at once leave such lines in real logs; nothing of them is lost."""
    other = orjson.dumps(user("other", "And spaces in YAML."))
    found = read_bytes(tmp_path, GOOD + other + b"\n")

    assert (found.lines, found.accepted) == (1, 1)
    assert [(turn.text, turn.line) for turn in found.sessions[0].turns] == [
        ("Use tabs.", 1),
        ("And spaces in YAML.", 1),
    ]
    assert readers.read_raw(found.file, found.format, found.raw).sessions == found.sessions


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_byte_order_marks_blank_lines_and_carriage_returns_do_no_harm(tmp_path: Path, ending: bytes):
    """Files edited or copied on Windows are the same logs."""
    found = read_bytes(tmp_path, b"\xef\xbb\xbf" + GOOD + ending + b"  \t" + ending + ending)

    assert (found.lines, found.accepted) == (1, 1)


def test_a_line_over_the_limit_is_set_aside_unread(tmp_path: Path):
    """A line that would not fit into memory must not take the file with it."""
    data = (
        GOOD
        + b"\n"
        + orjson.dumps(user("long", "x" * 5000))
        + b"\n"
        + orjson.dumps(user("end", "Done."))
        + b"\n"
    )
    found = read_bytes(tmp_path, data, limits=Limits(line_bytes=2000))

    assert [(bad.line, bad.reason) for bad in found.quarantined] == [(2, "longer than 2,000 bytes")]
    assert [turn.text for turn in found.sessions[0].turns] == ["Use tabs.", "Done."]


def test_a_line_cut_off_by_the_end_of_the_file_is_called_truncated(tmp_path: Path):
    """A crash leaves half a line; whoever reads the reason need not look for a damaged writer."""
    found = read_bytes(tmp_path, GOOD + b"\n" + GOOD[:40])

    assert found.accepted == 1
    assert found.quarantined[0].reason.startswith("truncated: the file ends inside this line")


def test_a_last_line_without_line_feed_is_read(tmp_path: Path):
    """Not every writer ends its last line."""
    assert read_bytes(tmp_path, GOOD + b"\n" + orjson.dumps(user("end", "Done."))).accepted == 2


def test_of_a_truncated_gzip_file_what_unpacks_is_read(tmp_path: Path):
    """A half-copied log still holds its first half, and one line of quarantine says that the rest is missing."""
    packed = gzip.compress(jsonl(*(user(f"u{n}", f"Word {n} {n * 7919}.") for n in range(3000))))
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])

    (found,) = readers.read(path)

    assert found.accepted > 500
    assert found.accepted + 1 == found.lines
    assert "truncated gzip" in found.quarantined[-1].reason


def test_a_damaged_gzip_file_says_so(tmp_path: Path):
    """A flipped bit in packed data is told apart from a file that merely ends early."""
    packed = bytearray(gzip.compress(jsonl(*(user(f"u{n}", f"Word {n} {n * 7919}.") for n in range(3000)))))
    packed[-6] ^= 0xFF
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed)

    (found,) = readers.read(path)

    assert found.accepted == 3000
    assert found.quarantined[-1].reason.startswith("damaged gzip")


def test_gzip_members_one_after_another_are_one_file(tmp_path: Path):
    """Appending to a packed log adds a member."""
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(user("a", "One."))) + gzip.compress(jsonl(user("b", "Two."))))

    (found,) = readers.read(path)

    assert (found.accepted, found.quarantined) == (2, ())


def test_a_gzip_bomb_is_cut_off(tmp_path: Path):
    """Ten kilobytes that unpack to ten megabytes of nothing are no log."""
    found = read_bytes(
        tmp_path,
        GOOD + b"\n" + b" " * 10_000_000,
        name="log.jsonl.gz",
        limits=Limits(ratio_from_bytes=1 << 20),
    )

    assert found.accepted == 1
    assert "250 times its size" in found.quarantined[-1].reason


def test_secrets_in_bad_lines_do_not_reach_quarantine(tmp_path: Path):
    """A line that cannot be parsed is shown to people, so it is redacted as text."""
    secret = "sk-ant-api03-" + "Ab3dEf6h" * 12
    found = read_bytes(
        tmp_path, GOOD + b'\n{"key": "' + secret.encode() + b'", broken\n', redactor=Redactor(b"key")
    )

    assert secret not in found.quarantined[0].raw
    assert found.redactions
