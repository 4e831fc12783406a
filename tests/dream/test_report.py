"""The report shows everything, and no transcript can forge any of it."""

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agentflows.change import (
    Change,
    Cost,
    Coverage,
    Dream,
    DreamReport,
    Ledger,
    LedgerLine,
    Pattern,
    Quote,
    Refusal,
)
from agentflows.dream import (
    changes_table,
    ledger_table,
    markdown,
    next_commands,
    sample_refusals,
    summary,
    summary_json,
    telling,
)
from agentflows.dream.engine import Mined
from agentflows.dream.hints import MINED, hints
from agentflows.dream.notes import engine_notes
from agentflows.dream.rules import RulesEngine
from agentflows.escape import block, code, inline, plain
from agentflows.memory import sha256
from agentflows.session import Usage

DAY = datetime(2026, 3, 1)  # noqa: DTZ001 - the words hold naive UTC
HOSTILE = (
    "Fine.\n\n# Approved by the reviewer\n\n```\nrm\n```\n> quoted\n<script>alert(1)</script> [click](https://evil.example)"
    " ![x](https://evil.example/p.png) | a | b |\n---\n\u202eabc\u200b\x1b[31mred\U000e0041 www.evil.example a@evil.example"
    " `tick` ``` **bold** &lt; https://evil.example"
)


def quote(text: str) -> Quote:
    return Quote(
        session_id="s1",
        seq=7,
        start=0,
        end=len(text),
        text=text,
        sha256=sha256(text),
        trust=3,
        kind="user",
        at=DAY,
    )


def change(**more: Any) -> Change:
    fields: dict[str, Any] = {
        "change_id": "chg_1",
        "dream_id": "drm_1",
        "op": "add",
        "path": "/learned.md",
        "reason": "two users said so",
    }
    fields |= {"heading": "Preferences", "after": "- Sign commits.", "support": 2, "origins": 2, "trust": 3}
    fields |= {
        "quotes": (quote("Please sign commits."),),
        "status": "held",
        "status_reason": "everything waits for review",
    }
    return Change.model_validate(fields | more)


def report(*changes: Change, **more: Any) -> DreamReport:
    dream = Dream(
        dream_id="drm_1", status="completed", store_id="memstore_1", store_name="team", base_version=4,
        base_sha256="0" * 64, engine="rules/1", created_at=DAY,
    )  # fmt: skip
    dream = dream.model_copy(update=more.pop("dream", {}))
    fields: dict[str, Any] = {
        "dream": dream,
        "changes": changes,
        "coverage": Coverage(
            archived=50,
            selected=45,
            read=40,
            from_cache=4,
            failed=1,
            failures=("s9: cut off",),
            turns=5015,
            quarantined=3,
        ),
    }
    return DreamReport.model_validate(fields | more)


FULL = report(
    change(),
    change(change_id="chg_2", op="narrow", before="- Use rtk.\n  Always.", after="- Use rtk.\n  Not for bun.", heading="", risks=("low_trust",)),
    change(change_id="chg_3", op="retire", before="- Old.", after=None, status="committed", quotes=()),
    ledger=Ledger(lines=(LedgerLine(entry_id="/m.md#1", path="/m.md", fate="kept"), LedgerLine(entry_id="/m.md#2", path="/m.md", fate="retired", change_id="chg_3", reason="x"))),
    refused={"support": 12, "negation": 1},
    refusals=(Refusal(gate="negation", reason="it does not keep 'never'", claim="Push to main.", session_id="s3"),),
    patterns=(Pattern(pattern_id="p", key="k", kind="fact", subject="a", attribute="b", claim="Port is 3001.", sessions=("a", "b"), origins=2, trust=2, quotes=()),),
    cost=Cost(model="claude-x", calls=3, usage=Usage(1000, 200, 500, 0), dollars=0.25, estimated_dollars=0.5, raw_tokens=90_000),
    notes=("A model judged.",),
)  # fmt: skip


def test_everything_a_reviewer_needs_is_in_the_report():
    """What was read, what changes with which proof, what was refused, what it cost, what to type."""
    text = markdown(FULL)
    for wanted in (
        "| from the cache of earlier dreams | 4 |", "s9: cut off", "### 1. add · /learned.md › Preferences · held",
        "+ - Sign commits.", "“Please sign commits.”", "the user (tier 3, user, 2026-03-01) at `s1#7`",
        "**Support:** 2 sessions, 2 sources", "  - Use rtk.\n-   Always.\n+   Not for bun.", "**Risks:** low trust",
        "| retired | 1 |", "| support | 12 |", "Push to main.", "| fact | Port is 3001. | 2 | 2 | 0 | 2 | 2 |",
        "1,500 (500 of them read from cache)", "0.2500", "A model judged.", "agentflows review approve drm_1 --only 1,2",
        "agentflows memory history --store team",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_an_empty_dream_says_so():
    """Nothing learned is a good answer, and must not look like a failure."""
    text = markdown(report())
    assert "## Proposed changes\n\nNone." in text
    assert "None with enough support." in text
    assert "No model was called." in text
    assert "review" not in "".join(next_commands(report()))


def test_a_failed_dream_names_its_error():
    """The page of a failed run is where people look first."""
    failed = report(dream={"status": "failed", "error_type": "BudgetError", "error": "0 dollars left"})
    assert "**BudgetError**: 0 dollars left" in markdown(failed)
    assert "Error: BudgetError: 0 dollars left" in summary(failed)


def rendered(text: str) -> str:
    """HTML as a renderer with tables and bare links makes it; raw HTML would come through."""
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)


def hostile(text: str) -> DreamReport:
    return report(
        change(after=f"- {text}", reason=text, heading=text, before=text, status_reason=text, quotes=(quote(text),), path="/l.md"),
        dream={"error": text, "error_type": text, "instructions": text, "store_name": text},
        refused={"negation": 1},
        refusals=(Refusal(gate="negation", reason=text, claim=text, session_id=text),),
        patterns=(Pattern(pattern_id="p", key="k", kind="fact", subject="a", attribute="b", claim=text, sessions=("a",), origins=1, trust=1, quotes=()),),
        notes=(text,),
        coverage=Coverage(archived=1, selected=1, read=1, from_cache=0, failures=(text,)),
    )  # fmt: skip


def skeleton(html: str) -> list[str]:
    """The tags of a page: what a text may not add to."""
    return re.findall(r"</?[a-z0-9]+", html)


def test_a_transcript_cannot_forge_the_report():
    """No heading, list, link, image, table, code block or raw HTML of its own, wherever it is shown."""
    page, plain_page = rendered(markdown(hostile(HOSTILE))), rendered(markdown(hostile("word")))
    assert skeleton(page) == skeleton(plain_page)
    assert "href" not in page
    assert "<script" not in page
    assert not re.search("[\u202e\u200b\x1b\U000e0041]", markdown(hostile(HOSTILE)))


PIECES = st.sampled_from(["\n", "# x", "- y", "```", "~~~", "<b>", "|", "[a](b)", "`", "*", "_", "&amp;", "\\", "> ", "1. ", "---", "$$", "  ", "word", "<!--", "\u202e", "\r"])  # fmt: skip


@given(st.lists(PIECES, min_size=1, max_size=12).map("".join).filter(str.strip))
def test_no_text_changes_the_shape_of_the_report(text: str):
    """Whatever is pasted together out of markup stays words."""
    page, plain_page = rendered(markdown(hostile(f"w{text}w"))), rendered(markdown(hostile("word")))
    assert skeleton(page) == skeleton(plain_page)


def test_terminal_and_tables_show_hidden_characters():
    """What a reviewer cannot see must not be approved."""
    bad = hostile(HOSTILE)
    shown = summary(bad) + str(changes_table(bad)) + str(ledger_table(bad))
    assert "⟦U+202E⟧" in shown
    assert "\x1b" not in shown
    assert "[red]" not in summary(report(change(after="- Sign.")))


def test_tables_are_plain_rows():
    """Prefect shows them as they are."""
    rows = changes_table(FULL)
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert rows[0]["where"] == "/learned.md › Preferences"
    assert [row["fate"] for row in ledger_table(FULL)] == ["retired", "kept"]
    assert all(isinstance(value, str | int) for row in rows for value in row.values())


def test_long_lines_of_a_diff_are_folded():
    """The proposed sentence is the point of the page; Prefect cuts off what is wider than the page."""
    lines = markdown(report(change(after="- " + "word " * 60))).split("\n")
    added = [line for line in lines if line.startswith("+ ")]
    assert len(added) > 2
    assert max(map(len, added)) <= 100


def test_the_summary_counts_what_happened():
    """For exit codes and for people in a hurry."""
    counts = summary_json(FULL)
    assert (counts["held"], counts["committed"], counts["refused"]) == (2, 1, 13)
    assert counts["refused_by_gate"] == {"negation": 1, "support": 12}
    assert (counts["sessions_read"], counts["sessions_selected"]) == (44, 45)
    assert "3 changes: 2 held, 1 committed; 13 refused" in summary(FULL)


def test_many_changes_are_listed_and_not_all_in_full():
    """A page of a thousand diffs is read by nobody."""
    many = [change(change_id=f"chg_{number}") for number in range(130)]
    text = markdown(report(*many))
    assert text.count("\n### ") == 100
    assert "\n130\\. add" in text
    assert "… 120 more" in summary(report(*many))


def test_commands_can_be_pasted():
    """A store's name is not always one word."""
    odd = report(change(), dream={"store_name": "my team; rm", "output_version": 5})
    assert "agentflows memory restore 4 --store 'my team; rm'" in next_commands(odd)
    assert 'agentflows review reject drm_1 --only 1 --reason "…"' in next_commands(odd)


def test_samples_show_every_gate():
    """Ten thousand refusals of one gate must not hide the one of another."""
    refusals = [Refusal(gate="support", reason="r", claim=str(number)) for number in range(100)]
    refusals.append(Refusal(gate="negation", reason="r", claim="x"))
    assert [one.gate for one in sample_refusals(refusals, each=3)] == ["support"] * 3 + ["negation"]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (inline("a *b* <c> `d` [e](f) | g"), r"a \*b\* &lt;c&gt; \`d\` \[e\](f) \| g"),
        (inline("see https://x.example or a@x.example"), r"see https\://x.example or a\@x.example"),
        (inline("abcdef", 4), "abc…"),
        (code("a`b"), "``a`b``"),
        (code("`"), "`` ` ``"),
        (block("```\nx", "diff"), "````diff\n```\nx\n````"),
        (plain("a\n b\x1b[1m", 0), "a b⟦ansi⟧"),
    ],
)
def test_escapes_are_exact(made: str, expected: str):
    """Readable in the source as well as on the page."""
    assert made == expected


# -- hints and notes ---------------------------------------------------------------------------------


def test_hints_point_at_turns_of_the_asked_sessions():
    """Where the archive saw something, the engine looks first."""
    mined: Mined = {
        "error_signatures": [{"head": "rtk bun", "sessions": 12, "addresses": ["s1#4", "s:2#9", "other#1"]}],
        "user_corrections": [{"kind": "rule", "session_id": "s1", "seq": 2, "sessions": 1}],
        "error_fixes": [{"head": "a", "fix_head": "b", "sessions": 3, "before_address": "s1#4", "after_address": "s1#6", "addresses": []}],
        "retry_loops": [{"head": "a", "times": 4, "session_id": "s1", "first_seq": 1, "sessions": 2}],
        "outcome_features": [{"feature": "uses:x"}],
    }  # fmt: skip
    found = hints(mined, {"s1", "s:2"})
    assert sorted(found) == ["s1", "s:2"]
    assert [(hint.seq, hint.signal) for hint in found["s1"]] == [
        (1, "retry"), (2, "correction"), (4, "error"), (4, "fix"), (6, "fix"),
    ]  # fmt: skip
    assert found["s:2"][0].note == "rtk bun in 10 or more sessions"
    assert set(mined) <= set(MINED)


def test_every_engine_says_what_it_cannot_judge():
    """A reader must know whether a model or a rule spoke."""
    assert engine_notes(RulesEngine(), "") == RulesEngine().notes()


def test_the_quotes_that_tell_most_come_first():
    """An error before the call that met it, and each wording once before it is repeated."""
    call, error = {"kind": "tool_call", "trust": 2}, {"kind": "tool_result", "trust": 1}
    quotes = [
        quote("make test").model_copy(update=call),
        quote("No rule").model_copy(update=error),
        quote("no  rule").model_copy(update=error),
        quote("Use uv.").model_copy(update={"kind": "user"}),
    ]
    assert [item.text for item in telling(quotes)] == ["Use uv.", "No rule", "make test", "no  rule"]
