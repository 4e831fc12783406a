"""The claude engine over the real SDK and a real connection: what goes out fits the API, what comes back is used."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from agentflows.budget import UnlimitedPurse
from agentflows.change import Pattern
from agentflows.claude import Claude
from agentflows.dream.engine import Hint, Nomination
from agentflows.dream.judged import JudgedEngine
from agentflows.dream.quotes import resolve_quote
from agentflows.errors import ModelOutputError
from agentflows.memory import parse_entries
from agentflows.session import Session
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, sample_session

RULE = "Never push to main; open a branch instead."
ENTRIES = [
    entry
    for entry in parse_entries("/git.md", "- Open a branch.\n- Open a branch, never push to main.\n")
    if entry.kind == "list_item"
]


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def judge(fake: FakeMessagesAPI) -> Iterator[JudgedEngine]:
    with Claude(
        model="claude-sonnet-5-5", api_key=fake.api_key, base_url=fake.url, purse=UnlimitedPurse()
    ) as claude:
        yield JudgedEngine(claude.ask, model=claude.model, today=date(2026, 3, 1))


def session(number: int = 0) -> Session:
    return sample_session(f"s{number}", ("user", RULE), ("agent", f"Opening branch {number}."))


def taught(*quotes: str) -> dict[str, Any]:
    lesson: dict[str, Any] = {
        "quotes": [{"seq": 0, "text": text} for text in quotes],
        "kind": "preference",
        "subject": "main branch",
        "attribute": "pushing",
        "scope": "",
        "claim": "Never push to main; open a branch instead.",
        "when": "",
        "when_not": "",
        "stance": "for",
        "value": "",
        "said_outright": True,
    }
    return {"observations": [lesson], "suspicious": []}


def pattern() -> Pattern:
    quote = resolve_quote(session(), 0, RULE)
    assert quote is not None
    return Pattern(
        pattern_id="pat_1",
        key="k",
        kind="preference",
        subject="main branch",
        attribute="pushing",
        claim=RULE,
        sessions=("s0",),
        origins=1,
        trust=3,
        quotes=(quote,),
    )


def test_a_dream_goes_through_all_four_questions(fake: FakeMessagesAPI, judge: JudgedEngine):
    """Every schema is one that the endpoint takes and every prompt one that it can be told by."""
    best = ENTRIES[1].entry_id
    fake.when("what did this session teach", taught(RULE))
    fake.when("do these pairs say the same", {"pairs": [{"pair": 1, "why": "same act", "same": True}]})
    meant = {
        "reason": "It says so.",
        "op": "reinforce",
        "entry_ids": [best],
        "path": "",
        "heading": "",
        "after": "",
    }
    fake.when("what does this pattern mean", {**meant, "risks": []})
    tidied = {
        "nomination": 1,
        "reason": "The second says it.",
        "op": "retire",
        "entry_ids": [ENTRIES[0].entry_id],
    }
    fake.when("tidy these entries", {"proposals": [{**tidied, "after": ""}]})

    (observation,) = judge.extract(session(), [])
    assert observation.quotes[0].text == RULE
    assert judge.same([(pattern(), pattern())]) == [True]
    proposal = judge.propose(pattern(), ENTRIES, "Keep rules about git.")
    assert proposal is not None
    assert (proposal.op, proposal.entry_ids) == ("reinforce", (best,))
    (retired,) = judge.prune([Nomination(entries=tuple(ENTRIES), why="overlap")], "")
    assert retired.op == "retire"
    assert fake.refused == []
    assert judge.dropped == []


def test_sessions_share_the_cached_rules(fake: FakeMessagesAPI, judge: JudgedEngine):
    """The rules are paid for once; what differs comes after them."""
    fake.script(lambda _: {"observations": [], "suspicious": []})
    for number in range(3):
        assert judge.extract(session(number), []) == []
    systems = [request.body["system"] for request in fake.requests]
    assert systems[0] == systems[1] == systems[2]
    assert systems[0][-1]["cache_control"]["type"] == "ephemeral"


def test_many_sessions_are_read_at_once(fake: FakeMessagesAPI, judge: JudgedEngine):
    """An engine is shared by threads; each answer stays with its session, each drop is counted."""

    def script(request: FakeRequest) -> dict[str, Any]:
        return taught(RULE if "Opening branch 3." in request.text else "made up")

    no_hints: list[list[Hint]] = [[] for _ in range(6)]
    fake.script(script)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(judge.extract, map(session, range(6)), no_hints))
    assert [len(observations) for observations in found] == [0, 0, 0, 1, 0, 0]
    assert len(judge.dropped) == 10


@pytest.mark.parametrize(
    "reply", [Reply.text("I would rather not."), Reply.text('{"observations": []}')], ids=["chatter", "half"]
)
def test_a_session_that_cannot_be_read_is_an_error(fake: FakeMessagesAPI, judge: JudgedEngine, reply: Reply):
    """However often it is asked again; an empty list is only ever the model's own answer."""
    fake.script(lambda _: reply)
    with pytest.raises(ModelOutputError):
        judge.extract(session(), [])
    assert judge.dropped == []


def test_pairs_are_judged_in_parts_at_once_and_answered_in_their_order(fake: FakeMessagesAPI):
    """Fifty pairs are several questions; two of them meet at the endpoint, one after the other the first would fail."""
    together = threading.Barrier(2, timeout=60)
    first_two = threading.Semaphore(2)

    def script(request: FakeRequest) -> dict[str, Any]:
        if first_two.acquire(blocking=False):
            together.wait()
        asked = re.findall(r"pair (\d+)⟧\n⟦A⟧\n.*?claim: Rule (\d+)\.", request.last_text, re.DOTALL)
        pairs = [{"pair": int(pair), "why": "", "same": int(rule) % 3 == 0} for pair, rule in asked]
        return {"pairs": pairs}

    fake.script(script)
    pairs = [(pattern().model_copy(update={"claim": f"Rule {number}."}), pattern()) for number in range(50)]
    with Claude(model="m", api_key=fake.api_key, base_url=fake.url, purse=UnlimitedPurse()) as claude:
        judge = JudgedEngine(claude.ask, model="m", today=date(2026, 3, 1), concurrency=3)
        assert judge.same(pairs) == [number % 3 == 0 for number in range(50)]
