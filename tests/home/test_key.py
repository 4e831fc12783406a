"""The home's key: made once, whole, for its owner; a damaged one is never used."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentflows.errors import SettingsError
from agentflows.home import open_home

SECRET = "token = 'ghp_" + "a8Fk2LmQ9xZr4TnV7bYc1WdE6hJs3PgU5oKi'"
CODE = f"import sys; from agentflows.home import open_home; print(open_home(sys.argv[1]).redactor().redact({SECRET!r}))"


def redacted(folder: Path, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """The secret as another process redacts it under this home's key."""
    return subprocess.run(
        [sys.executable, "-c", CODE, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"AGENTFLOWS_FAILPOINT": failpoint},
        timeout=120,
    )


def test_processes_that_start_together_get_one_key(tmp_path: Path):
    """Two first ingests at once: a secret must have one placeholder in all sessions."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(redacted, [tmp_path] * 4))
    assert {answer.returncode for answer in answers} == {0}, answers
    assert len({answer.stdout for answer in answers}) == 1
    assert "[REDACTED:" in answers[0].stdout
    assert [path.name for path in tmp_path.iterdir()] == ["redaction.key"]
    assert (tmp_path / "redaction.key").stat().st_mode & 0o777 == 0o600


def test_a_process_killed_while_it_makes_the_key_leaves_none_that_is_half_made(tmp_path: Path):
    """The next one makes its own."""
    assert redacted(tmp_path, "home.key:kill").returncode == -signal.SIGKILL
    assert not (tmp_path / "redaction.key").exists()
    first, second = redacted(tmp_path), redacted(tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


@pytest.mark.parametrize("damaged", [b"", b"ab", b"z" * 64, b"\xff" * 64, b"ab" * 31])
def test_a_damaged_key_is_refused_and_named(tmp_path: Path, damaged: bytes):
    """An empty key would give everyone the same placeholders; a made-up one would split those of a secret."""
    (tmp_path / "redaction.key").write_bytes(damaged)
    with (
        open_home(tmp_path) as home,
        pytest.raises(SettingsError, match=r"redaction\.key is damaged.*backup"),
    ):
        home.redactor()
    assert (tmp_path / "redaction.key").read_bytes() == damaged


def test_a_key_that_cannot_be_read_is_one_line(tmp_path: Path):
    """A folder in its place, as a mount that went wrong leaves it."""
    (tmp_path / "redaction.key").mkdir()
    with open_home(tmp_path) as home, pytest.raises(SettingsError, match="neither made nor read"):
        home.redactor()
