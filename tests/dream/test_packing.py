"""Questions are bounded whatever the store, the same tomorrow, and hardly changed by one more item."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from agentflows.change import Pattern, identity
from agentflows.dream.judged import JudgedEngine
from agentflows.dream.nominate import EntryIndex, nominate_pairs
from agentflows.dream.packing import MOST_CHARS, names_day, packed
from agentflows.dream.propose import NEAREST
from agentflows.memory import parse_entries

MOST_PROMPT_CHARS = MOST_CHARS + 20_000
"""With the instructions, the task and its fence."""


class Asked:
    """Takes every question, and answers that there is nothing to do."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    def __call__(
        self, *, system: Sequence[str], user: Sequence[str], schema: Any, max_tokens: int, purpose: str
    ) -> Any:
        text = "\n".join([*system, *user])
        self.questions.append(text)
        pairs = [{"pair": int(n), "why": "", "same": False} for n in re.findall(r"⟦pair (\d+)⟧", text)]
        nothing: dict[str, Any] = {
            "reason": "", "op": "nothing", "entry_ids": [], "path": "", "heading": "", "after": "", "risks": [],
        }  # fmt: skip
        said: dict[str, Any] = {
            "PairsReply": {"pairs": pairs},
            "TidyReply": {"proposals": []},
            "PatternReply": nothing,
        }
        return _Value(schema.model_validate(said[schema.__name__]))


class _Value:
    def __init__(self, value: Any) -> None:
        self.value = value


def engine(ask: Asked, today: date = date(2026, 3, 1)) -> JudgedEngine:
    return JudgedEngine(ask, model="m", today=today)


def pattern(claim: str, sessions: int = 3) -> Pattern:
    return Pattern(
        pattern_id=f"pat_{identity(claim)}", key=f"fact|{claim[:60]}", kind="fact", subject=claim[:60],
        attribute="is", claim=claim, sessions=tuple(f"s{number}" for number in range(sessions)),
        origins=sessions, trust=3, quotes=(),
    )  # fmt: skip


def huge_store(entries: int, chars: int) -> dict[str, str]:
    """Notes on gates, many of them nearly alike and all long, and a thousand that are equal."""
    body = " ".join(f"word{number}" for number in range(chars // 8))
    notes = [f"- Gate {number // 3} opens with key {number}: {body}" for number in range(entries)]
    same = ["- Always lock the gate behind you when you leave."] * 1_000
    return {"/gates.md": "\n".join([*notes, *same]) + "\n"}


@pytest.mark.parametrize("entries_made", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_no_question_grows_with_the_store_or_with_a_pattern(entries_made: int):
    """A store of up to two megabytes, entries longer than a page, a group of a thousand, a pattern of ten thousand sessions."""
    files = huge_store(entries_made, 9_000)
    entries = [entry for path, text in files.items() for entry in parse_entries(path, text)]
    assert sum(len(entry.text) for entry in entries) > 8_000 * entries_made
    ask = Asked()
    judge = engine(ask)
    nominations = nominate_pairs(entries)
    assert max(len(nomination.entries) for nomination in nominations) >= 1_000
    judge.prune(nominations, "x" * 4_096)
    wide = pattern("Gate 7 opens with key 21. " * 400, sessions=10_000)
    judge.propose(wide, EntryIndex(entries).nearest(wide, NEAREST), "x" * 4_096)
    judge.same([(wide, wide)] * 100)
    assert len(ask.questions) > 10
    assert max(map(len, ask.questions)) < MOST_PROMPT_CHARS


def test_one_more_item_changes_hardly_a_question():
    """Else every night would ask about the whole store again."""
    items = [f"item {number}" for number in range(3_000)]
    before = {tuple(part) for part in packed(items, str, most=12)}
    for place in (0, 1_234, 2_999):
        after = packed([*items[:place], "one more", *items[place:]], str, most=12)
        assert sum(tuple(part) not in before for part in after) <= 3
    assert [item for part in packed(items, str, most=12) for item in part] == items
    assert max(map(len, packed(items, str, most=12))) <= 12
    assert len(before) < 2 * 3_000 / 12


def test_a_part_is_full_when_its_characters_are():
    """Twelve long items do not make one question."""
    assert [len(part) for part in packed(["x" * 50] * 4, str, most=12, chars=100)] == [2, 2]
    assert packed([], str, most=12) == []


def test_what_names_no_day_is_the_same_question_tomorrow():
    """An answer is asked for again only where the day can matter."""
    plain = [f"- Use tool {number} for job {number // 2} in the yard.\n" for number in range(40)]
    dated = "- The gate is closed until 2026-04-01, use the yard.\n- The gate is closed until 2026-05-01, use the yard.\n"
    entries = parse_entries("/x.md", "".join(plain) + dated)
    asked = [Asked(), Asked()]
    for ask, day in zip(asked, (date(2026, 3, 1), date(2026, 3, 2)), strict=True):
        judge = engine(ask, day)
        judge.prune(nominate_pairs(entries), "")
        judge.propose(pattern("The tool for job 3 is 7."), entries[:4], "")
        judge.propose(pattern("The gate is open from 2026-06-01."), entries[:4], "")
    again = set(asked[1].questions) - set(asked[0].questions)
    assert len(asked[0].questions) > 3
    assert len(again) == 2, "the dated group, and the dated pattern"
    assert all("today is 2026-03-02" in question for question in again)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("until 2026-04-01", True), ("bis 1.4.2026", True), ("since March 2026", True), ("due tomorrow", True),
        ("port 2026", False), ("version 1.2.3", False), ("may be used", False), ("10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_names_a_day(text: str, found: bool):  # noqa: FBT001
    """Numbers and modal verbs are none."""
    assert names_day(text) is found
