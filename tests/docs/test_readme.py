"""The README names every command."""

from typer.main import get_command

from agentflows.cli import app
from tests.conftest import ROOT


def test_every_command_of_the_command_line_is_in_the_readme():
    """What is not in the README does not exist for a user."""
    text = (ROOT / "README.md").read_text("utf-8")
    commands = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    missing = [name for name in commands if f"agentflows {name}" not in text]  # pyright: ignore[reportUnknownVariableType]
    assert missing == []
