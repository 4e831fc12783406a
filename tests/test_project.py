"""Flows are files of a project: found, loaded by path, laid down by `init`."""

import tomllib
from pathlib import Path

import pytest
import yaml

import agentflows
from agentflows.errors import NotFoundError, UsageError
from agentflows.project import FLOWS, init_project, load_flow, project_root
from tests.conftest import ROOT


@pytest.mark.parametrize("name", FLOWS)
def test_every_flow_loads_and_bears_its_files_name(name: str):
    """One noun: the file, the flow and the deployment are called the same."""
    assert load_flow(name, ROOT).name == name


def test_an_unknown_flow_names_those_there_are():
    """The message helps whoever mistyped."""
    with pytest.raises(NotFoundError, match="dream, ingest, review"):
        load_flow("dreams", ROOT)


def test_deployments_and_flows_are_the_same_set():
    """No flow is forgotten in `prefect.yaml`, and no deployment points nowhere."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    entrypoints = {item["name"]: item["entrypoint"] for item in deployments}
    files = {path.stem: f"flows/{path.name}:{path.stem}" for path in (ROOT / "flows").glob("[a-z]*.py")}
    assert entrypoints == files


def test_init_lays_down_a_project_and_keeps_what_is_there(tmp_path: Path):
    """An edited flow survives a second `init`."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "dream.py").write_text("mine = 1\n")
    written = init_project(tmp_path)
    assert "prefect.yaml" in written
    assert "flows/dream.py" not in written
    assert (tmp_path / "flows" / "dream.py").read_text() == "mine = 1\n"
    assert project_root(tmp_path) == tmp_path.resolve()


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
