"""Flows are files of a project: found, loaded by path, laid down by `init`."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import agentflows
from agentflows.errors import NotFoundError, UsageError
from agentflows.project import (
    FLOWS,
    MARKER,
    PREFECT_SETTINGS,
    bundled,
    flows_folder,
    init_project,
    load_flow,
    project_root,
)
from tests.conftest import ROOT


@pytest.mark.parametrize("name", FLOWS)
def test_every_flow_loads_and_bears_its_files_name(name: str):
    """One noun: the file, the flow and the deployment are called the same."""
    assert load_flow(name, ROOT).name == name


def test_an_unknown_flow_names_those_there_are():
    """The message helps whoever mistyped."""
    with pytest.raises(
        NotFoundError, match="dream, dream_batch, impact, ingest, nightly, orchestrate, outcome, review"
    ):
        load_flow("dreams", ROOT)


def test_deployments_and_flows_are_the_same_set():
    """No flow is forgotten in `prefect.yaml`, and no deployment points nowhere."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    entrypoints = {item["name"]: item["entrypoint"] for item in deployments}
    files = {
        path.stem.replace("_", "-"): f"flows/{path.name}:{path.stem}"
        for path in (ROOT / "flows").glob("[a-z]*.py")
    }
    # one turn of a job, for other workers
    turns = {"orchestrate-turn": "flows/orchestrate.py:orchestrate_turn"}
    assert entrypoints == files | turns


def test_init_lays_down_a_project_and_keeps_what_is_there(tmp_path: Path):
    """An edited flow survives a second `init`."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "dream.py").write_text("mine = 1\n")
    written = init_project(tmp_path)
    assert "prefect.yaml" in written
    assert "flows/dream.py" not in written
    assert (tmp_path / "flows" / "dream.py").read_text() == "mine = 1\n"
    assert project_root(tmp_path) == tmp_path.resolve()
    assert flows_folder(tmp_path) == tmp_path.resolve() / "flows"


def test_a_project_has_a_password_of_its_own_for_its_prefect_server(tmp_path: Path):
    """For its owner only, kept by a second `init`, and not to be committed."""
    for name in ("one", "two"):
        assert PREFECT_SETTINGS in init_project(tmp_path / name)
    first, second = ((tmp_path / name / PREFECT_SETTINGS) for name in ("one", "two"))
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.read_text() != second.read_text()
    kept = first.read_text()
    assert PREFECT_SETTINGS not in init_project(tmp_path / "one")
    assert first.read_text() == kept
    assert PREFECT_SETTINGS in (tmp_path / "one" / ".gitignore").read_text().split()


def test_in_a_repository_of_yours_the_password_is_not_committed_either(tmp_path: Path):
    """What you leave out of it stays as you wrote it, with one line more; a second `init` adds none."""
    (tmp_path / ".gitignore").write_text("node_modules\n*.log")
    assert ".gitignore" in init_project(tmp_path)
    assert ".gitignore" not in init_project(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == f"node_modules\n*.log\n{PREFECT_SETTINGS}\n"


@pytest.mark.parametrize("missing", [MARKER, "prefect.yaml", "flows/dream.py"])
def test_a_folder_that_is_no_project_runs_none_of_its_code(tmp_path: Path, missing: str):
    """Whoever looks into a stranger's repository did not ask to run its flows."""
    init_project(tmp_path)
    (tmp_path / missing).unlink()
    assert project_root(tmp_path) == bundled()
    assert flows_folder(tmp_path) is None


@pytest.mark.parametrize("text", [b"name: other\n", b"# entrypoint: flows/dream.py:dream\n", b"\xff\xfe"])
def test_a_prefect_project_that_does_not_deploy_the_dream_is_another_project(tmp_path: Path, text: bytes):
    """`flows/` and `prefect.yaml` are names that any Prefect project uses."""
    init_project(tmp_path)
    (tmp_path / "prefect.yaml").write_bytes(text)
    assert project_root(tmp_path) == bundled()


@pytest.mark.parametrize(("given", "enabled"), [(None, "False"), ("true", "True")])
def test_a_program_that_loads_a_flow_sends_no_telemetry_unless_told_to(given: str | None, enabled: str):
    """A temporary server that ends before it was sent would print a traceback in the middle of the program's output."""
    name = "PREFECT_SERVER_ANALYTICS_ENABLED"
    variables = {key: value for key, value in os.environ.items() if key != name}
    code = (
        "from agentflows import load_flow; load_flow('dream')\n"
        "from prefect.settings import get_current_settings\n"
        "print(get_current_settings().server.analytics_enabled)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=variables | ({name: given} if given else {}),
        timeout=120,
    )
    assert done.stdout.strip() == enabled


def test_init_into_a_file_says_so(tmp_path: Path):
    """A file in the way is a one-line error, not a trace."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="cannot be laid down"):
        init_project(tmp_path / "taken")


def test_the_public_names_all_exist_and_are_sorted():
    """What `__all__` promises can be imported."""
    assert sorted(agentflows.__all__) == agentflows.__all__
    assert all(hasattr(agentflows, name) for name in agentflows.__all__)


def test_the_version_is_the_packages():
    """`--version` and the wheel agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == agentflows.__version__


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("agentflows.cli", ("anthropic", "duckdb", "mcp", "prefect", "pyarrow", "sqlalchemy")),
        ("agentflows.cli.memory", ("anthropic", "duckdb", "mcp", "prefect", "pyarrow")),
        ("agentflows.cli.review", ("anthropic", "duckdb", "mcp", "prefect", "pyarrow")),
    ],
)
def test_the_command_line_starts_without_what_takes_long_to_import(module: str, slow: tuple[str, ...]):
    """Every command pays for what `agentflows.cli` imports, and those that only read the state need no archive."""
    code = f"import sys, {module}; print(*sorted({set(slow)} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=240
    )
    assert done.stdout.split() == []
