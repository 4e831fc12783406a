"""The README cannot lie: what it shows of the demo is what the demo's dream prints, and its commands exist.

`WRITE_README=1 pytest tests/test_readme.py` puts the present output in.
"""

import os
import re
from pathlib import Path

import pytest
from typer.main import get_command

from agentflows.cli import app
from agentflows.cli.orders import standing_orders
from agentflows.cli.output import console
from agentflows.cli.show import show_dream, show_ingest
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- demo -->\n```\n)(.*?)(```\n<!-- /demo -->)", re.DOTALL)
INGESTED = ("33 files", "585 of", "Redacted", "Dream ", "Read ")
SHOWN = ("narrow", "supersede", "flag")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The dream of the demo as the terminal shows it, a hundred columns wide."""
    with open_home(tmp_path_factory.mktemp("readme")) as home:
        read = ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("readme"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("readme"))
        report = dream_over(home, DreamRequest(store="example", engine="rules"))
        orders = standing_orders(home.archive, report)
    with console.capture() as captured:
        show_ingest(read, Path("HOME"), demo=True)
        show_dream(report, Path("HOME"), demo=True, orders=orders)
    printed = re.sub(r"drm_[0-9a-f]{16}", "drm_…", captured.get())
    return re.sub(r"(\[REDACTED:[a-z-]+:)[0-9a-f]{8}\]", r"\1…]", printed)  # keyed by the home


def excerpt(printed: str) -> str:
    """What it read, the changes that tell most, what it did not take, the ledger and what is held."""
    head = [line for line in printed.split("\n") if line.startswith(INGESTED)]
    blocks = [
        block.rstrip()
        for block in re.split(r"\n(?=\s+\d+ \S+ )", printed)
        if re.match(rf"\s*\d+ \S+ ({'|'.join(SHOWN)}) ", block)
    ]
    # changes of equal weight are numbered by their ids, which differ from home to home
    blocks = [re.sub(r"^\s*\d+", "  N", block.split("\n\nRefused")[0]) for block in blocks]
    traps = printed[printed.index("Refused, and why") : printed.index("\n\nLedger:")]
    tail = [
        line
        for line in printed.split("\n")
        if line.startswith(("Ledger:", "Refused:")) or "held for review" in line
    ]
    return "\n\n".join(["\n".join(head), *blocks, traps, "\n".join(tail)]) + "\n"


def test_the_readme_shows_what_the_demo_prints(printed: str):
    """A change in what users see is a change in the README."""
    text = README.read_text("utf-8")
    wanted = excerpt(printed)
    if os.environ.get("WRITE_README") == "1":
        README.write_text(BLOCK.sub(lambda match: match[1] + wanted + match[3], text), "utf-8")
        return
    found = BLOCK.search(text)
    assert found
    assert found[2] == wanted


def test_every_command_of_the_command_line_is_in_the_readme():
    """What is not in the README does not exist for a user."""
    text = README.read_text("utf-8")
    commands = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    missing = [name for name in commands if f"agentflows {name}" not in text]  # pyright: ignore[reportUnknownVariableType]
    assert missing == []
