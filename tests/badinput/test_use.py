"""Wrong words, settings and servers: one line that names what is wrong and what would be right."""

from pathlib import Path

import pytest

from agentflows.dreaming import MAX_INSTRUCTIONS, DreamRequest, SessionFilter, dream_over
from agentflows.errors import DreamError, QueryError
from agentflows.home import open_home
from tests.badinput.command import run

Server = dict[str, str]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AGENTFLOWS_CONCURRENCY", "zero", "integer"),
        ("AGENTFLOWS_CONCURRENCY", "0", "greater than or equal to 1"),
        ("AGENTFLOWS_BATCH_SESSIONS", "100000", "less than or equal to 1000"),
        ("AGENTFLOWS_DEADLINE_SECONDS", "-1", "greater than 0"),
        ("AGENTFLOWS_DUCKDB_MEMORY", "lots", "pattern"),
        ("AGENTFLOWS_PRICES", "cheap", "JSON"),
        ("AGENTFLOWS_STATE_URL", "mysql://localhost/x", "PostgreSQL"),
        ("AGENTFLOWS_STATE_URL", "nonsense", "sqlite:///"),
    ],
)
def test_an_impossible_setting_is_named(tmp_path: Path, name: str, value: str, says: str):
    """Before anything is opened or made."""
    done = run(tmp_path / "home", "memory", "list", variables={name: value})
    done.failed(2, says)
    assert name in done.error or value in done.error
    assert not (tmp_path / "home" / "state.db").exists()


def test_a_database_server_that_is_not_there_is_one_line(tmp_path: Path):
    """It names the variable, and keeps the password to itself."""
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:9/x"
    done = run(tmp_path, "memory", "list", variables={"AGENTFLOWS_STATE_URL": url})
    done.failed(1, "AGENTFLOWS_STATE_URL", "cannot be reached")
    assert "hunter2" not in done.err


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "nonsense"])
def test_a_prefect_server_that_is_not_there_is_one_line(folder: Path, url: str):
    """It names the variable, and how to do without."""
    run(folder, "dream", "--store", "example", variables={"PREFECT_API_URL": url}).failed(
        1, url, "PREFECT_API_URL", "unset"
    )


def test_a_prefect_folder_that_cannot_be_made_is_one_line(folder: Path, tmp_path: Path):
    """Said at once: a temporary server would be waited for until the time is up."""
    (tmp_path / "file").touch()
    done = run(
        folder,
        "dream",
        "--store",
        "example",
        variables={"PREFECT_HOME": str(tmp_path / "file" / "prefect"), "PREFECT_API_URL": ""},
    )
    done.failed(1, "PREFECT_HOME", "Not a directory")


def test_instructions_that_are_too_long_are_counted(folder: Path):
    """Refused before Prefect starts."""
    words = ["dream", "--instructions", "x" * (MAX_INSTRUCTIONS + 1)]
    run(folder, *words).failed(2, "4,097", "4,096", "Shorten")


def test_instructions_from_a_file_that_is_not_there_are_named(folder: Path, tmp_path: Path):
    """`@FILE` says which file."""
    run(folder, "dream", "--instructions", f"@{tmp_path / 'none.md'}").failed(2, "none.md")


@pytest.mark.parametrize(
    "query",
    [
        "errors >",
        "no_such_column > 1",
        "1); DROP TABLE sessions; --",
        "true) OR (SELECT 1 FROM read_text('/etc/passwd')",
    ],
)
def test_a_bad_condition_is_refused(folder: Path, query: str):
    """The message says what was wrong with it; no dream is begun."""
    with open_home(folder) as home:
        before = home.state.dreams()
        with pytest.raises(QueryError) as raised:
            dream_over(
                home, DreamRequest(store="example", engine="rules", sessions=SessionFilter(query=query))
            )
        assert "\n" not in str(raised.value)
        assert home.state.dreams() == before


@pytest.mark.prefect
def test_a_bad_condition_is_one_line_on_the_command_line(folder: Path, server: Server):
    """Through the flow."""
    run(folder, "dream", "--store", "example", "--query", "errors >", variables=server).failed(
        1, "refused", "views"
    )


@pytest.mark.prefect
def test_an_empty_archive_is_one_line(tmp_path: Path, server: Server):
    """It names the command that fills it; no store and no dream is made."""
    run(tmp_path / "home", "dream", variables=server).failed(1, "agentflows ingest")
    with open_home(tmp_path / "home") as home:
        assert (home.state.list_stores(), home.state.dreams()) == ([], [])


def test_a_filter_that_matches_nothing_is_an_error(folder: Path):
    """Not an empty success."""
    with open_home(folder) as home, pytest.raises(DreamError, match="Widen the filter"):
        dream_over(home, DreamRequest(store="example", engine="rules", sessions=SessionFilter(ids=["none"])))


def test_output_that_nobody_can_take_is_one_line(folder: Path):
    """`> /dev/full`: what was to be printed is lost, and that is said."""
    import subprocess
    import sys

    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agentflows", "memory", "list", "--home", str(folder)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The system refused: No space left")
    assert "Traceback" not in done.stderr
