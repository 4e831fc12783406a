"""Every command of the documentation does what its page says; those that run flows are in `tests/flows/test_docs.py`."""

import re
from pathlib import Path

import pytest

from agentflows.project import FLOWS
from tests.conftest import ROOT
from tests.docs.pages import LANGUAGES, OTHERS, Page, blocks, commands, pages
from tests.docs.shell import is_shown
from tests.docs.starts import check_page

PAGES = pages()
MOST_SKIPPED = 6
"""Blocks that are not run. A larger number wants a better way to run them."""


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.to_run and not page.needs_prefect and not page.needs_machines],
    ids=lambda page: page.name,
)
def test_a_page_does_what_it_says(page: Page, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """Its commands are pasted by people who have just met the project."""
    check_page(page, tmp_path, tmp_path_factory)


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda file: file.name
)
def test_every_block_says_what_it_is(file: Path):
    """A block without a language is neither run nor known to be only shown."""
    found = {language for language, *_ in blocks(file.read_text("utf-8"))}
    strange = {one for one in found if not one.startswith("{")} - {*LANGUAGES, *OTHERS}
    assert not strange, f"{file} has blocks of {strange}; {LANGUAGES} are run, {OTHERS} are shown"


def test_what_is_not_run_is_little_and_has_a_reason():
    """Whoever cannot have a command run says why."""
    skipped = {f"{step.page}: {step.skipped}" for page in PAGES for step in page.steps if step.skipped}
    assert len(skipped) <= MOST_SKIPPED, "\n".join(skipped)
    marks = {step.mark for page in PAGES for step in page.to_run}
    known = re.compile(r"|with a model|needs a sandbox|in the background")
    assert [mark for mark in marks if not known.fullmatch(mark)] == []


def test_what_is_run_elsewhere_is_run_there():
    """The README's commands are those of the pages it leads to, so they need no second run."""
    run = {page.name: {step.bare for step in page.to_run} for page in PAGES}
    borrowed = [step for page in PAGES for step in page.steps if step.elsewhere]
    assert [str(step) for step in borrowed if step.bare not in run.get(step.elsewhere, set())] == []


def test_every_flow_is_told_of():
    """What no page mentions nobody will run."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [name for name in FLOWS if f"`{name}`" not in text] == []


def test_commands_go_on_over_lines():
    """A backslash, a quote and a here-document each hold a command together."""
    lines = ["# first", "a \\", "  b", "", "c 'd", "e'", "f <<'END'", "g", "END", "h"]
    assert [text for _, text in commands(lines)] == ["a \\\n  b", "c 'd\ne'", "f <<'END'\ng\nEND", "h"]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("one\n…\nfour", "one\ntwo\nthree\nfour\n", True),
        ("one\n…\nfour", "one\nfour\n", True),
        ("1 of … read", "1 of 33 read\n", True),
        ("drm_… done", "drm_0123456789abcdef done", True),
        ("one", "one\ntwo", False),
        ("one\n…", "two\n", False),
    ],
)
def test_a_page_may_leave_out_and_not_make_up(expected: str, printed: str, *, same: bool):
    """`…` stands for what does not matter; all else must be there, in order, and nothing more."""
    assert is_shown(expected, printed) is same
