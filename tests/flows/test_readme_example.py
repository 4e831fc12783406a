"""The README's Python runs as it stands: over the example's sessions, in a home of its own."""

import re
from pathlib import Path

import pytest

from agentflows import open_home
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.prefect


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is the first thing a user pastes; what it approves must be in the store afterwards."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "~/.claude/projects" in block]
    monkeypatch.setenv("AGENTFLOWS_HOME", str(tmp_path / "home"))
    exec(code.replace("~/.claude/projects", str(EXAMPLES / "sessions")), {})
    with open_home() as home:
        (dream,) = home.state.dreams(store="team")
        statuses = [change.status for change in home.state.changes(dream_id=dream.dream_id)]
        assert statuses.count("committed") == 2
        assert "held" in statuses
        assert home.state.files("team")
