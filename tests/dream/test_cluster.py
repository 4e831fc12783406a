"""Patterns count what independent sessions say; code vetoes, and the order of input changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.change import Observation, Pattern, Quote, Refusal
from agentflows.dream.case import Case
from agentflows.dream.cluster import cluster
from agentflows.dream.engine import Hint, Nomination, Proposal, Verdict
from agentflows.dream.nominate import differs, nominate, nominate_pairs, quantities, similar
from agentflows.dream.tally import independent_sessions
from agentflows.errors import DreamError, ModelOutputError
from agentflows.memory import Entry, parse_entries, sha256
from agentflows.session import Session

DAY = datetime(2026, 3, 1)  # noqa: DTZ001 - the words hold naive UTC


class Judge:
    """An engine that calls every nominated pair the same, and remembers what it was asked."""

    name = "judge/1"
    model = ""
    judge = ""
    prompt_sha256 = ""
    reading_sha256 = ""

    def __init__(self, *, says: bool = True, answers: int | None = None) -> None:
        self.says = says
        self.answers = answers
        self.asked: list[tuple[Pattern, Pattern]] = []
        self.dropped: list[Refusal] = []

    def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
        self.asked.extend(pairs)
        return [self.says] * (len(pairs) if self.answers is None else self.answers)

    def extract(self, session: Session, hints: Sequence[Hint]) -> list[Observation]:
        return []

    def propose(self, pattern: Pattern, entries: Sequence[Entry], instructions: str) -> Proposal | None:
        return None

    def prune(self, nominations: Sequence[Nomination], instructions: str) -> list[Proposal]:
        return []

    def refute(self, cases: Sequence[Case]) -> list[Verdict]:
        return [Verdict(upheld=True) for _ in cases]


def quote(session_id: str, text: str, *, origin: str = "", **more: Any) -> Quote:
    fields = {
        "session_id": session_id,
        "seq": 0,
        "start": 0,
        "end": len(text),
        "text": text,
        "sha256": sha256(text),
    }
    fields |= {"trust": 3, "kind": "user", "root_id": session_id, "origin": origin or f"{session_id}#0"}
    return Quote.model_validate(fields | more)


def seen(session_id: str, claim: str = "Sign commits.", **more: Any) -> Observation:
    text = more.pop("text", claim)
    about: dict[str, Any] = {"origin": more.pop("origin", ""), "trust": more.pop("trust", 3)}
    fields: dict[str, Any] = {"session_id": session_id, "root_id": session_id, "kind": "preference"}
    fields |= {"subject": "commits", "attribute": "signing", "claim": claim, "at": DAY}
    fields |= {"quotes": (quote(session_id, text, **about),)}
    return Observation.model_validate(fields | more)


def test_who_tells_what_was_before_says_the_same():
    """The value that is over is no part of the ground on which two statements differ."""
    about: dict[str, Any] = {"kind": "fact", "subject": "quill-tracker", "attribute": "limit"}
    (pattern,) = found(
        seen("a", "The quill-tracker refuses files over 81 MB now, it used to be 90.", **about),
        seen("b", "The quill-tracker refuses files over 81 MB.", **about),
    )
    assert pattern.sessions == ("a", "b")
    assert not found(
        seen("a", "The quill-tracker refuses files over 81 MB, not more than 5 at once.", **about),
        seen("b", "The quill-tracker refuses files over 81 MB, not more than 7 at once.", **about),
    )


def found(*observations: Observation, says: bool = True, support: int = 2) -> list[Pattern]:
    return cluster(observations, Judge(says=says), support=support)[0]


def gates(*observations: Observation) -> list[str]:
    return [refusal.gate for refusal in cluster(observations, Judge())[1]]


def test_two_sessions_make_a_pattern_and_one_does_not():
    """One session may be a mood; two that do not know each other are a habit."""
    assert found(seen("a")) == []
    assert gates(seen("a")) == ["support"]
    (pattern,) = found(seen("a"), seen("b"))
    assert pattern.sessions == ("a", "b")
    assert (pattern.origins, pattern.user_origins, pattern.trust) == (2, 2, 3)


def test_the_threshold_is_a_parameter():
    """A large team may ask for more."""
    three = [seen(name) for name in "abc"]
    assert len(found(*three, support=3)) == 1
    assert found(*three, support=4) == []


def test_one_text_seen_in_many_sessions_counts_once():
    """Whoever controls one page could otherwise vote as often as it is read."""
    copies = [seen(name, origin="sha256:page", kind="fact", trust=1) for name in "abcdef"]
    assert found(*copies) == []
    (refusal,) = cluster(copies, Judge())[1]
    assert "copies of each other" in refusal.reason


def test_a_second_source_in_one_session_does_not_free_the_copies():
    """A page quoted beside an agent's echo of it is still that page."""
    page = quote("a", "Sign commits.", origin="sha256:page", trust=1, kind="tool_result")
    echo = quote("a", "Sign commits.", origin="a#9", trust=2, kind="agent", seq=9)
    first = seen("a", kind="fact", quotes=(page, echo))
    second = seen("b", kind="fact", origin="sha256:page", trust=1)
    assert found(first, second) == []


def test_an_error_that_prints_the_same_everywhere_still_counts():
    """Each session met it with a call of its own."""
    errors: list[Observation] = []
    for name in "abc":
        printed = quote(
            name, "command not supported", origin="sha256:same", trust=1, kind="tool_result", seq=2
        )
        call = quote(name, "rtk bun test", trust=2, kind="tool_call", seq=1)
        errors.append(seen(name, "`rtk bun` fails.", kind="error", quotes=(printed, call)))
    (pattern,) = found(*errors)
    assert len(pattern.sessions) == 3
    assert pattern.trust == 1


def test_a_sub_agent_is_its_session():
    """A lead with ten helpers is one voice."""
    helpers = [seen("a", root_id="a"), seen("a:1", root_id="a"), seen("a:2", root_id="a")]
    assert found(*helpers) == []


def test_said_outright_needs_one_session_and_a_users_words():
    """A user's standing rule is followed at once; an agent's word for it is not enough."""
    assert len(found(seen("a", said_outright=True))) == 1
    assert found(seen("a", said_outright=True, trust=2)) == []
    assert found(seen("a", said_outright=True, kind="correction")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"claim": "Wait 30 s."}, {"claim": "Wait 10 s."}),
        ({"claim": "Wait 30 s."}, {"claim": "Wait 30 ms."}),
        ({"claim": "See PR #260."}, {"claim": "See PR #480."}),
        ({"claim": "Deploy prod by hand."}, {"claim": "Deploy staging by hand."}),
        ({"claim": "Edit `a.py` first."}, {"claim": "Edit `b.py` first."}),
        ({"claim": "Push to main."}, {"claim": "Never push to main."}),
        ({"when": "on Fridays"}, {"when": "on Mondays"}),
        ({"when_not": "in tests"}, {"when_not": ""}),
        ({"scope": "app"}, {"scope": "site"}),
        ({"value": "npm"}, {"value": "bun"}),
        ({"kind": "fact"}, {"kind": "preference"}),
    ],
)
def test_what_differs_stays_apart_whatever_the_engine_says(one: dict[str, Any], other: dict[str, Any]):
    """An engine that calls everything the same must not mix up 30 s with 10 s."""
    assert found(seen("a", **one), seen("b", **other), says=True) == []


def test_without_the_veto_the_judge_would_have_merged():
    """Ablation: with equal numbers the same judge does merge two keys."""
    one = seen("a", "Wait 30 s for the worker.", subject="worker", attribute="wait")
    other = seen("b", "Wait 30 s for the worker.", subject="worker start", attribute="wait")
    (pattern,) = found(one, other)
    assert pattern.sessions == ("a", "b")
    assert found(one, other, says=False) == []
    changed = other.model_copy(update={"claim": "Wait 10 s for the worker."})
    assert found(one, changed) == []


def test_alike_keys_are_asked_about_in_one_batch():
    """A model call per pair would cost more than the dream."""
    judge = Judge()
    names = [
        seen(name, subject=f"commits {word}")
        for name, word in zip("abcd", ["x1", "x2", "x3", "x4"], strict=True)
    ]
    cluster([one.model_copy(update={"subject": one.subject[:9]}) for one in names], judge)
    assert judge.asked == []
    cluster([seen("a", subject="git commit"), seen("b", subject="commits")], judge)
    assert len(judge.asked) == 1


def test_an_engine_that_does_not_answer_for_every_pair_is_stopped():
    """A missing verdict must not shift the others by one."""
    with pytest.raises(DreamError, match="1 pairs"):
        cluster([seen("a", subject="git commit"), seen("b", subject="commits")], Judge(answers=0))


def test_an_engine_that_cannot_judge_pairs_leaves_them_apart():
    """One malformed reply must not end a dream whose sessions were all read and paid for."""

    class Mute(Judge):
        def same(self, pairs: Sequence[tuple[Pattern, Pattern]]) -> list[bool]:
            raise ModelOutputError(str(len(pairs)))

    _, refusals = cluster([seen("a", subject="git commit"), seen("b", subject="commits")], Mute())
    assert "no_verdict" in {refusal.gate for refusal in refusals}


def test_naming_fewer_things_is_not_different():
    """One user names the file, the other does not."""
    (pattern,) = found(seen("a", "Update `CHANGELOG.md`."), seen("b", "Update the changelog."))
    assert len(pattern.sessions) == 2


def test_workflows_with_other_steps_stay_apart():
    """Half a checklist is another checklist."""
    steps = [("a", "Run `lint`, `test`."), ("b", "Run `lint`, `test`."), ("c", "Run `lint`.")]
    (pattern,) = found(*(seen(name, claim, kind="workflow") for name, claim in steps))
    assert pattern.sessions == ("a", "b")


def test_an_error_keeps_the_fix_that_most_sessions_found():
    """Several fixes are no contradiction, and a fix seen once is not the pattern's."""
    fixes = [
        ("a", "use bun", "bun"),
        ("b", "use bun", "bun"),
        ("c", "use npm", "npm"),
        ("d", "It fails.", ""),
    ]
    (pattern,) = found(*(seen(name, claim, kind="error", value=value) for name, claim, value in fixes))
    assert len(pattern.sessions) == 4
    assert pattern.claim == "use bun"
    once = [seen("a", "use bun", kind="error", value="bun"), seen("d", "It fails.", kind="error")]
    assert found(*once)[0].claim == "It fails."


def test_a_newer_value_replaces_an_older_one():
    """Facts change; the latest says what holds now."""
    old = [seen(name, "Port is 3000.", kind="fact", value="3000") for name in "abc"]
    new = [
        seen(name, "Port is 3001.", kind="fact", value="3001", at=DAY + timedelta(days=9)) for name in "de"
    ]
    (pattern,) = found(*old, *new)
    assert pattern.value == "3001"
    assert pattern.sessions_against == ("a", "b", "c")
    assert "contradicted" in gates(*old, *new)


def test_among_values_of_the_same_days_the_majority_stays():
    """Without an order in time only counts can decide."""
    more = [seen(name, "Port is 3000.", kind="fact", value="3000") for name in "abc"]
    fewer = [seen(name, "Port is 3001.", kind="fact", value="3001") for name in "de"]
    assert [pattern.value for pattern in found(*more, *fewer)] == ["3000"]


def test_an_unsupported_value_is_counted_against():
    """Dissent is shown even where it is too small to win."""
    dissent = seen("z", "Port is 3001.", kind="fact", value="3001", at=DAY + timedelta(days=9))
    (pattern,) = found(*(seen(name, "Port is 3000.", kind="fact", value="3000") for name in "ab"), dissent)
    assert pattern.value == "3000"
    assert pattern.sessions_against == ("z",)


def test_as_many_against_as_for_is_no_pattern():
    """Then there is nothing to learn but the dispute."""
    split = [seen("a"), seen("b"), seen("c", stance="against"), seen("d", stance="against")]
    assert found(*split) == []
    assert gates(*split) == ["contradicted"]
    assert gates(seen("c", stance="against")) == ["support"]


def test_weaker_evidence_neither_raises_nor_lowers_trust():
    """Otherwise an attacker could take a true rule's trust away by repeating it."""
    typed = [seen("a"), seen("b")]
    assert found(*typed, seen("c", trust=1))[0].trust == 3
    assert found(seen("a"), seen("c", trust=1))[0].trust == 1
    assert found(seen("a", said_outright=True), seen("c", trust=1))[0].trust == 3


def test_the_wording_of_the_most_trusted_speaks():
    """Many low-trust echoes must not put their words into a user's mouth."""
    echoes = [seen(name, "Sign commits, please, always.", trust=1) for name in "cdefg"]
    assert found(seen("a"), seen("b"), *echoes)[0].claim == "Sign commits."


def test_quotes_are_few_trusted_and_of_different_sessions():
    """A reviewer reads five quotes, so they had better be the best."""
    many = [seen(f"s{number}", trust=1) for number in range(20)] + [seen("a"), seen("b")]
    shown = found(*many)[0].quotes
    assert len(shown) == 5
    assert {one.session_id for one in shown if one.trust == 3} == {"a", "b"}
    assert len({one.session_id for one in shown}) == 5


def test_the_quote_that_backs_a_number_is_always_shown():
    """A claim without the quote of its number could not be checked by a reader."""
    backing = quote("b", "it listens on 3001", seq=5, trust=1, kind="tool_result")
    other = quote("b", "sign commits on the port")
    first = seen("b", "Sign on port 3001.", quotes=(other, backing))
    rest = [seen(name, "Sign on port 3001.", text="Sign on port 3001.", trust=1) for name in "cdefgh"]
    assert any("3001" in one.text for one in found(first, *rest)[0].quotes)


WORDS = st.sampled_from(
    ["Sign commits.", "Sign all commits.", "Wait 30 s.", "Wait 10 s.", "Never push to main."]
)
OBSERVED = st.fixed_dictionaries(
    {
        "session_id": st.sampled_from([f"s{number}" for number in range(6)]),
        "claim": WORDS,
        "subject": st.sampled_from(["commits", "commit", "git"]),
        "stance": st.sampled_from(["for", "for", "for", "against"]),
        "value": st.sampled_from(["", "", "x", "y"]),
        "trust": st.sampled_from([1, 2, 3]),
        "at": st.integers(0, 5).map(lambda day: DAY + timedelta(days=day)),
    }
).map(lambda fields: seen(**cast("dict[str, Any]", fields)))


@given(st.lists(OBSERVED, max_size=14).flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_))))
@settings(max_examples=150, deadline=None)
def test_the_order_of_observations_changes_nothing(orders: tuple[list[Observation], list[Observation]]):
    """Sessions are read in parallel and arrive in any order."""
    straight, shuffled = orders
    assert cluster(straight, Judge()) == cluster(shuffled, Judge())
    assert cluster(straight, Judge()) == cluster([*shuffled, *straight], Judge())


@given(st.lists(OBSERVED, max_size=14))
@settings(max_examples=100, deadline=None)
def test_every_pattern_has_the_support_it_says(observations: list[Observation]):
    """The counts are the product; they must follow from the observations."""
    for pattern in found(*observations):
        assert len(pattern.sessions) >= 2
        assert pattern.origins >= 2
        assert set(pattern.sessions) <= {one.root_id for one in observations if one.stance == "for"}
        assert not set(pattern.sessions) & set(pattern.sessions_against)
        assert {shown.session_id for shown in pattern.quotes} <= set(pattern.sessions)


def test_sessions_give_up_a_source_that_another_needs():
    """Which session is counted first must not decide how many are."""
    sources = {"a": "14", "b": "12", "c": "13", "d": "23"}
    held = [
        seen(name, kind="error", quotes=tuple(quote(name, one, origin=one) for one in own))
        for name, own in sources.items()
    ]
    assert independent_sessions(held, enough=4) == 4


def test_a_session_that_has_only_what_another_has_is_its_copy():
    """A log of API calls holds one conversation many times: one failed call, its error and its remedy are no three."""
    whole = tuple(quote("a", words, origin=words) for words in ("call", "error", "remedy"))
    copies = [
        seen(
            name,
            kind="error",
            quotes=tuple(quote(name, one.text, origin=one.origin) for one in whole[:shown]),
        )
        for name, shown in (("a", 3), ("b", 3), ("c", 2), ("d", 1))
    ]
    assert independent_sessions(copies, enough=2) == 1


# -- nominating --------------------------------------------------------------------------------------


def entries(*lines: str) -> list[Entry]:
    return parse_entries("/m.md", "# Notes\n\n" + "\n".join(f"- {line}" for line in lines))


def a_pattern(claim: str, subject: str = "x") -> Pattern:
    two = [seen(name, claim, subject=subject) for name in "ab"]
    return found(*two)[0]


def test_the_nearest_entries_come_first():
    """An engine sees eight entries; the one that matters must be among them."""
    filler = [f"Rule about topic{number} and thing{number}." for number in range(300)]
    store = entries(*filler, "Always prefix `bun` with `rtk`.", "Use tabs in Makefiles.")
    near = nominate(a_pattern("`rtk bun` fails.", "rtk bun"), store)
    assert near[0].text == "- Always prefix `bun` with `rtk`."
    assert len(near) <= 8
    assert nominate(a_pattern("Nothing in common"), []) == []


def test_headings_alone_count_little():
    """A section title must not win over the line that says it."""
    store = parse_entries(
        "/m.md", "# Deploy worker\n\n- Unrelated words.\n\n# Other\n\n- Deploy the worker slowly.\n"
    )
    assert nominate(a_pattern("Deploy the worker."), store)[0].text == "- Deploy the worker slowly."


def test_duplicates_and_near_duplicates_are_nominated():
    """What says the same, and what says it with another number."""
    store = entries(
        "The worker waits 30 s for the queue.", "the worker waits 30 s for the queue", "Use tabs.",
        "The worker waits 10 s for the queue.",
    )  # fmt: skip
    found_pairs = nominate_pairs(store)
    assert [len(one.entries) for one in found_pairs] == [2, 2]
    assert found_pairs[0].why == "same words"
    assert found_pairs[1].why.endswith("different numbers")


def test_a_large_store_is_pruned_without_comparing_everything():
    """Ten thousand entries are fifty million pairs; the planted ones are still found."""
    lines = [
        f"Item{number} uses part{number} with word{number % 97} and code{number % 89}."
        for number in range(10_000)
    ]
    store = entries(*lines, "Item5 uses part5 with word5 and code6.")
    assert any(
        {"- " + lines[5], "- Item5 uses part5 with word5 and code6."} == {e.text for e in one.entries}
        for one in nominate_pairs(store)
    )


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=6), max_size=12))
def test_the_join_finds_exactly_the_alike(sets: list[set[str]]):
    """The shortcut over rare words must lose nothing."""
    expected = {
        (one, other)
        for one in range(len(sets))
        for other in range(one + 1, len(sets))
        if sets[one] and len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= 0.5
    }
    assert {(one, other) for one, other, _ in similar(sets, 0.5)} == expected


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Wait 30 s.", "Wait 30 seconds.", ""),
        ("Wait 30 s.", "Wait 30 min.", "different numbers"),
        ("Use prod.", "Use production.", ""),
        ("Use prod.", "Use staging.", "different environments"),
        ("Push to main.", "Never push to main.", "one denies what the other says"),
        ("Edit `a.py`.", "Edit `b.py`.", "different names or paths"),
        ("Edit `a.py`.", "Edit the file.", ""),
    ],
)
def test_differences_that_forbid_a_merge(one: str, other: str, why: str):
    """Each of these was a real false merge somewhere."""
    assert differs(one, other) == why
    assert differs(other, one) == why


def test_quantities_carry_their_unit():
    """30 s is not 30 ms, and 30s is 30 s."""
    assert quantities("30s, v1.2, 5 minutes, #260") == {"30s", "1.2", "5min", "260"}
