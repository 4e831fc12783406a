"""The example of the sandbox in its page runs as it stands."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.usefixtures("sandbox_here")
def test_the_example_of_the_sandbox_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """It is the first thing a user pastes."""
    blocks: list[str] = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "sandbox.md").read_text("utf-8"), re.DOTALL
    )
    (code,) = [block for block in blocks if "Sandbox(" in block]
    (tmp_path / "work").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "facts.md").write_text("one\ntwo\n")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert "0 2\n exited False True" in capsys.readouterr().out
    assert (tmp_path / "frozen" / "answer.md").read_text() == "Lines: 2\n"
