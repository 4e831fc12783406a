"""What doctor finds, over real folders, databases and endpoints."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from agentflows import doctor, open_home
from agentflows.diagnosis import Diagnosis
from agentflows.diagnosis.machine import check_packages, check_python
from agentflows.diagnosis.server import shown
from agentflows.testing import FakeMessagesAPI
from tests import command_line

NOWHERE = "http://127.0.0.1:9/api"
"""The discard port: nothing answers there."""


@pytest.fixture(autouse=True)
def _no_prefect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # pyright: ignore[reportUnusedFunction]
    """No server, no profile of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))


def _statuses(found: Diagnosis) -> dict[str, str]:
    return {check.name: check.status for check in found.checks}


def test_a_fresh_machine_is_ready_and_nothing_is_made(tmp_path: Path):
    """Looking is not using."""
    found = doctor(tmp_path / "home")
    for name in ("python", "packages", "settings", "home", "state", "archive", "prefect"):
        assert found.of(name).status == "ok", found.of(name)
    assert "temporary one" in found.of("prefect").found
    assert not (tmp_path / "home").exists()


def test_a_home_in_use_is_described(tmp_path: Path):
    """Layout, sessions and place."""
    with open_home(tmp_path / "home") as home:
        home.state.create_store("team", actor=home.actor("ada"))
        home.redactor()
    found = doctor(tmp_path / "home")
    assert _statuses(found)["home"] == _statuses(found)["state"] == "ok"
    assert "layout " in found.of("state").found


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ({"redaction.key": b"short"}, "home", "key"),
        ({"state.db": b"this is no database, and long enough to be read as one" * 20}, "state", "damaged"),
        ({"archive/manifest/broken.json": b"{"}, "archive", ""),
    ],
)
def test_a_damaged_home_is_a_problem_with_a_fix(
    tmp_path: Path, content: dict[str, bytes], name: str, words: str
):
    """Each part by itself; the others are looked at all the same."""
    for path, data in content.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    found = doctor(tmp_path)
    assert found.of(name).status == "problem", found.of(name)
    assert words in found.of(name).found
    assert found.of(name).fix
    assert not found.is_healthy
    assert [
        check.name for check in found.checks if check.status == "problem" and check.name != "sandbox"
    ] == [name]


def test_a_database_of_a_newer_version_is_named(tmp_path: Path):
    """It is neither opened nor moved."""
    with open_home(tmp_path) as home:
        home.state.create_store("team", actor=home.actor("ada"))
    with sqlite3.connect(tmp_path / "state.db") as database:
        (table,) = database.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE '%schema%' AND type = 'table'"
        ).fetchone()
        database.execute(f"UPDATE {table} SET version = 999")
    database.close()
    check = doctor(tmp_path).of("state")
    assert check.status == "problem"
    assert "layout 999" in check.found
    assert "pip install -U agentflows" in check.fix


def test_a_file_in_the_place_of_the_home_is_a_problem(tmp_path: Path):
    """Not a trace."""
    (tmp_path / "home").write_text("")
    assert doctor(tmp_path / "home").of("home").status == "problem"


def test_an_impossible_setting_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Doctor is asked exactly when something is wrong; it must not be what fails."""
    monkeypatch.setenv("AGENTFLOWS_SANDBOX", "maybe")
    found = doctor(tmp_path)
    assert found.of("settings").status == "problem"
    assert "AGENTFLOWS_SANDBOX" in found.of("settings").found


def test_a_sandbox_that_is_switched_off_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Visible, and no problem: someone chose it."""
    monkeypatch.setenv("AGENTFLOWS_SANDBOX", "off")
    check = doctor(tmp_path).of("sandbox")
    assert check.status == "warning"
    assert "without walls" in check.found


def test_an_endpoint_is_asked_and_the_key_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Reachable, refused, unknown model, silent, absent: told apart."""
    with FakeMessagesAPI(api_key="sk-canary", models=["known"]) as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
        monkeypatch.setenv("AGENTFLOWS_MODEL", "known")
        good = doctor(tmp_path)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary-wrong")
        refused = doctor(tmp_path)
    gone = doctor(tmp_path, timeout_seconds=1)
    assert good.of("model").status == "ok"
    assert "known at http://127.0.0.1" in good.of("model").found
    assert refused.of("model").status == gone.of("model").status == "problem"
    assert "key was refused" in refused.of("model").found
    assert "cannot be reached within 1 s" in gone.of("model").found
    assert all("canary" not in found.model_dump_json() for found in (good, refused, gone))


def test_an_endpoint_without_a_list_of_models_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Many compatible servers have none."""
    with FakeMessagesAPI(lists_models=False) as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
        check = doctor(tmp_path).of("model")
    assert check.status == "ok"
    assert "does not say which models" in check.found


def test_a_server_that_is_away_is_a_problem_within_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Named by the environment or by a profile; passwords in the address are not shown."""
    monkeypatch.setenv("PREFECT_API_URL", NOWHERE.replace("//", "//user:canary@"))
    by_variable = doctor(tmp_path, timeout_seconds=1).of("prefect")
    assert by_variable.status == "problem"
    assert "PREFECT_API_URL" in by_variable.found
    assert "canary" not in by_variable.found
    assert "prefect server start" in by_variable.fix
    monkeypatch.delenv("PREFECT_API_URL")
    (tmp_path / "prefect").mkdir()
    profiles = f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{NOWHERE}"\n'
    (tmp_path / "prefect" / "profiles.toml").write_text(profiles)
    by_profile = doctor(tmp_path, timeout_seconds=1).of("prefect")
    assert by_profile.status == "problem"
    assert "Prefect's profile" in by_profile.found


def test_packages_and_python_are_those_of_this_test():
    """The suite does not run on versions that doctor would call broken."""
    assert check_python().status == "ok"
    assert check_packages().status == "ok"
    assert "fastapi" in check_packages().found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://user:pw@host:4200/api?key=x", "https://host:4200/api"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://host:port/api", "a URL that cannot be read"),
    ],
)
def test_addresses_are_shown_without_what_is_secret(url: str, words: str):
    """They end up in issue reports."""
    assert shown(url) == words


def _run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = command_line.foreign_variables() | {"COLUMNS": "200"} | variables
    return command_line.run("doctor", *words, environment=environment)


def test_the_command_prints_each_check_and_its_fix(tmp_path: Path):
    """A person reads it; a program reads `--json`; both see the exit code."""
    broken = _run("--home", tmp_path, "--timeout", "1", PREFECT_API_URL=NOWHERE, AGENTFLOWS_SANDBOX="off")
    assert broken.returncode == 1
    assert "problem prefect" in broken.stdout
    assert "fix: Start it (prefect server start)" in broken.stdout
    assert broken.stdout.endswith("1 problem.\n")
    fine = _run("--home", tmp_path, "--json", AGENTFLOWS_SANDBOX="off")
    assert fine.returncode == 0
    answer = json.loads(fine.stdout)
    assert answer["healthy"] is True
    assert {"name", "status", "found", "fix"} == set(answer["checks"][0])
