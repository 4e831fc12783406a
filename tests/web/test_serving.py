"""`agentflows ui`: a port that is free or a clear word, a link that is printed once, and a quiet end."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from agentflows.errors import UsageError
from agentflows.home import Home
from agentflows.web import Served
from tests import command_line


def run(*words: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "agentflows", "ui", "--port", "0", "--no-open", *map(str, words)],
        env=command_line.foreign_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("ending", "code", "word"),
    [
        (signal.SIGINT, 0, ""),
        (signal.SIGTERM, -signal.SIGTERM, "Ended by SIGTERM"),
        (signal.SIGHUP, -signal.SIGHUP, "Ended by SIGHUP"),
    ],
)
def test_it_serves_until_it_is_interrupted_and_ends_with_one_line_at_most(
    tmp_path: Path, ending: signal.Signals, code: int, word: str
):
    """Ctrl-C is how it is ended, so it is no error; whoever sends a signal is told that it was heeded."""
    process = run("--home", tmp_path / "home", "--write")
    assert process.stdout
    link = process.stdout.readline().strip()
    found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)login\?token=(\S{40,})", link)
    assert found, process.communicate(timeout=60)
    said = process.stdout.readline()
    assert "the link works once" in said
    assert found[2] not in said
    with urllib.request.urlopen(f"{found[1]}healthz") as answer:
        assert answer.status == 200
        assert "uvicorn" not in str(answer.headers).lower()
    process.send_signal(ending)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    assert word in err
    assert err.count("\n") == bool(word)
    assert found[2] not in out


def test_a_port_that_is_taken_is_said_with_what_to_do(tmp_path: Path):
    """Before anything is opened or printed."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = command_line.run("ui", "--port", str(port), "--home", tmp_path / "home", "--no-open")
    assert done.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert "--port 0" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_of_another_machine_is_said(home: Home, host: str):
    """Not with a trace."""
    with pytest.raises(UsageError, match="address of this machine"):
        Served(home, host=host, port=0)


def test_any_address_but_this_machines_own_is_private(home: Home):
    """Whoever is on the network sees nothing without the link."""
    served = Served(home, host="0.0.0.0", port=0)
    try:
        assert served.access.is_private
        assert not served.access.can_write
        assert "login?token=" in served.link
    finally:
        served.close()


def test_a_server_that_only_shows_has_no_link_to_keep(home: Home):
    """Nothing secret is printed where nothing is secret."""
    served = Served(home, port=0)
    try:
        assert served.link == served.url == f"http://127.0.0.1:{served.port}/"
    finally:
        served.close()


def test_the_help_names_every_option():
    """`--help` is what people read."""
    done = command_line.run("ui", "--help")
    for option in (
        "--host",
        "--port",
        "--write",
        "--private",
        "--home",
        "--open",
        "--no-open",
        "--by",
        "--allow-host",
    ):
        assert option in done.stdout


def test_a_home_that_cannot_be_opened_is_said_before_anything_is_served(tmp_path: Path):
    """The file is no database."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state.db").write_text("no database, but long enough to be looked at" * 50)
    done = command_line.run("ui", "--port", "0", "--home", tmp_path / "home", "--no-open")
    assert done.returncode == 1
    assert "no SQLite database" in done.stderr or "damaged" in done.stderr
    assert not done.stdout
