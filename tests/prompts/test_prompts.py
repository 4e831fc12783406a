"""Prompts are files: filled strictly, hashed, and reviewed as the model reads them."""

import os
import re
from pathlib import Path

import pytest

import agentflows.prompts
from agentflows.errors import PromptError
from agentflows.prompts import prompt_sha256, render

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = Path(agentflows.prompts.__file__).parent

FIELDS = {
    "agent_place": {},
    "agent_memory": {"fence": "=== memory 0a1b2c3d4e5f ===", "entries": "## /prefs.md\n- Use $HOME, not ~."},
    "agent_feedback": {"feedback": "changelog/has_date: unmet. The entry has no date."},
    "dream_system": {},
    "dream_extract": {"limit": "8"},
    "dream_same": {},
    "dream_propose": {},
    "dream_prune": {},
    "dream_refute": {},
    "dream_instructions": {"instructions": "Keep what is about releases; it costs $5."},
    "dream_material": {"fence": "0a1b2c3d4e5f", "material": "⟦#0 user t3⟧ Set $HOME, please."},
    "outcome_grader": {},
    "outcome_material": {
        "task": "Write notes; they cost $5.",
        "guidance": "None.",
        "fence": "0a1b2c3d4e5f",
        "material": "⟦file 1 of 1: a.md · 9 bytes · 1 lines, all shown⟧\nSet $HOME\n⟦end of a.md⟧",
    },
    "outcome_criteria": {"criteria": "- `rain`: It names rain.", "reading": "", "complaint": ""},
    "outcome_feedback": {"met": "1", "total": "2", "gaps": "### 1. It names rain.", "kept": "- It is short."},
    "orchestrate_lead": {},
    "rubric_draft": {},
    "rubric_lint": {},
    "rubric_material": {"fence": "0a1b2c3d4e5f", "material": "The task:\nList $HOME."},
}


def test_every_prompt_has_a_golden():
    """A prompt that nobody can read in review is not there."""
    assert sorted(FIELDS) == sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_prompt_reads_as_reviewed(name: str):
    """A changed prompt shows in the diff as the model will see it; GOLDENS=write renews them."""
    golden = GOLDENS / f"{name}.md"
    rendered = render(name, **FIELDS[name])
    if os.environ.get("GOLDENS") == "write":
        golden.write_text(rendered, encoding="utf-8")
    assert rendered == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("fields", [{}, {"limits": "8"}, {"limit": "8", "today": "now"}], ids=repr)
def test_other_fields_than_the_prompt_takes_are_refused(fields: dict[str, str]):
    """A forgotten field must not reach a model as a blank, nor a superfluous one get lost."""
    with pytest.raises(PromptError, match=r"takes the fields \['limit'\], found"):
        render("dream_extract", **fields)


def test_a_prompt_that_does_not_exist_is_refused_with_those_that_do():
    """A typing error is answered with the names."""
    with pytest.raises(PromptError, match=r"found '\.\./errors'.*dream_system"):
        render("../errors")


def test_text_filled_in_is_not_scanned_again():
    """A transcript full of `$material` and `$$` stays as it was."""
    text = "$material $fence $$ ${limit} 100$"
    assert text in render("dream_material", fence="f", material=text)


def test_the_hash_is_of_the_text_and_not_of_the_order():
    """It is part of cache keys: equal for equal prompts, different for any other."""
    assert prompt_sha256("dream_same", "dream_prune") == prompt_sha256("dream_prune", "dream_same")
    assert prompt_sha256("dream_same") != prompt_sha256("dream_prune")
    assert re.fullmatch(r"[0-9a-f]{64}", prompt_sha256("dream_system"))
    with pytest.raises(PromptError, match="prompt that exists"):
        prompt_sha256("dream_sytem")


@pytest.mark.parametrize(
    "task", ["dream_extract", "dream_same", "dream_propose", "dream_prune", "dream_refute"]
)
def test_every_task_shows_a_good_and_a_bad_answer(task: str):
    """One of each says more than a page of rules."""
    rendered = render(task, **FIELDS[task])
    assert re.search(r"(?mi)^(#+ A )?good\b", rendered)
    assert re.search(r"(?mi)^(#+ A )?bad\b", rendered)


def test_the_constant_part_is_small_beside_a_session():
    """It is paid for with every session: about 1,500 tokens at four characters each."""
    assert len(render("dream_system")) + len(render("dream_extract", limit="8")) < 7_000
