"""What README and docs show of the demo is what the demo's dream prints.

`WRITE_DOCS=1 pytest tests/docs/test_demo_output.py` puts the present output in.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.cli.orders import standing_orders
from agentflows.cli.output import console
from agentflows.cli.show import show_dream, show_ingest
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT
from tests.docs.shown import check_shown

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
    printed = re.sub(r"(in the store since )\d{4}-\d{2}-\d{2}", r"\1…", printed)  # the day of the import
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


def brief(excerpt: str) -> str:
    """The same without the flag and the standing orders, and with three of what was refused."""
    head, narrow, supersede, _, traps, _, tail = excerpt.split("\n\n")
    told = traps.split("\n")
    more = int(told[-1].split()[1]) + (len(told) - 2) // 2 - 3
    return "\n\n".join([head, narrow, supersede, "\n".join([*told[:7], f"  … {more} more"]), tail])


@pytest.mark.parametrize(("page", "shown"), [("README.md", brief), ("docs/dreaming.md", str)])
def test_a_page_shows_what_the_demo_prints(printed: str, page: str, shown: Callable[[str], str]):
    """A change in what users see is a change in what they read about it."""
    check_shown(ROOT / page, "demo", shown(excerpt(printed)))
