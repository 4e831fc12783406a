"""The page's outcome is what the example does now. `WRITE_DOCS=1 pytest tests/docs/test_outcome_output.py` puts it in."""

import re
import shutil
from pathlib import Path

from agentflows.cli.outcome_show import show_outcome
from agentflows.cli.output import console
from agentflows.home import open_home
from agentflows.pursuing import pursue
from agentflows.rubric import read_rubric
from tests.conftest import EXAMPLES, ROOT
from tests.docs.shown import check_shown

PAGE = ROOT / "docs/outcomes.md"
TASK = "Write release notes for this version"


def printed(folder: Path) -> str:
    """The example's outcome as the terminal shows it."""
    example = EXAMPLES / "outcome"
    workspace = folder / "notes"
    shutil.copytree(example / "workspace", workspace)
    rubric = read_rubric(example / "rubric.md")
    with open_home(folder / "home") as home:
        found = pursue(TASK, rubric=rubric, agent=example / "writer.md", workspace=workspace, home=home)
        frozen = home.settings.home_path / "outcomes" / found.outcome_id
    with console.capture() as captured:
        show_outcome(found, rubric, None, folder=frozen)
    text = re.sub(r"outc_[0-9a-f]{16}", "outc_…", captured.get())
    return text.replace(str(frozen.parent.parent), "HOME").replace(str(workspace), "notes")


def test_the_page_shows_what_the_example_does(tmp_path: Path):
    """It starts badly and is satisfied after a revision, with no key and no model."""
    wanted = printed(tmp_path)
    check_shown(PAGE, "outcome", wanted)
    text = PAGE.read_text("utf-8")
    assert "satisfied after 2 attempts" in wanted
    assert f'agentflows outcome "{TASK}"' in text
