"""The references of the documentation have all there is: settings, commands, patterns, and what Python exports."""

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from typer.main import get_command

import agentflows
from agentflows.archive.patterns import PATTERNS
from agentflows.cli import app
from agentflows.settings import Settings
from tests.conftest import ROOT
from tests.docs.pages import pages

NOT_ON_A_PAGE = {
    "agentflows demo": "make check runs it, from the wheel in an empty environment",
    "agentflows serve": "it serves until somebody ends it; tests/flows/test_serve.py starts and ends it",
    "agentflows outcome start": 'agentflows outcome "TASK" is the same',
}


def references() -> Any:
    """The extension that writes them."""
    folder = str(ROOT / "docs" / "_ext")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module("references")


def test_every_setting_says_what_it_means():
    """The reference of settings is what stands below the fields."""
    page = references().settings_page()
    assert sorted(references().setting_meanings()) == sorted(Settings.model_fields)
    assert page.count("\n## ") + 1 == len(Settings.model_fields)
    assert (
        "## `AGENTFLOWS_CONCURRENCY`\n\nModel calls at once, per process. Not set, it is that many for each dream and each "
        "grading, and a team's `at_once`\nrules its agents.\n\n*a whole number, at least `1`" in page
    )


def test_every_command_is_in_its_reference_and_on_a_page():
    """What is in no example is found by nobody, and an example that is run shows that it works."""
    root: Any = get_command(app)
    found = list(references().walk(root, ("agentflows",), 2))
    names = [" ".join(words) for words, *_ in found]
    leaves = [" ".join(words) for words, one, _ in found if not hasattr(one, "commands")]
    page = references().commands_page()
    assert [name for name in names if f"# `{name}`\n" not in page] == []
    run = "\n".join(step.text for one in pages() for step in one.to_run)
    assert [name for name in leaves if name not in run and name not in NOT_ON_A_PAGE] == []


def test_every_pattern_is_told_with_its_columns():
    """Each row that `archive patterns` prints is explained."""
    page = references().patterns_page()
    assert [pattern.name for pattern in PATTERNS if f"## `{pattern.name}`\n" not in page] == []
    assert all(f"| `{column}` |" in page for pattern in PATTERNS for column in pattern.columns)


def test_the_python_reference_has_what_is_exported():
    """What is promised is documented, and nothing else is."""
    text = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    named = re.findall(r"^\.\. auto(?:function|class):: agentflows\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(agentflows.__all__)


def test_every_page_can_be_reached():
    """A page outside of the contents is read by nobody; Sphinx says so too, later and in more words."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    written = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in (ROOT / "docs").rglob("*.md")}
    listed = set(re.findall(r"^[a-z-]+(?:/[a-z-]+)?$", index, re.MULTILINE))
    assert written - listed == {"index"}
    assert all((Path(ROOT) / "docs" / f"{name}.md").is_file() for name in listed)
