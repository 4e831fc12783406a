"""Batches over the real SDK: matched, validated, paid for once, and collected by a process that did not submit them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel, Field

from agentflows.budget import Spend
from agentflows.change import Budget
from agentflows.claude import Answer, BatchAsk, Claude, Pace
from agentflows.errors import BudgetError, EndpointError, ModelError, ModelOutputError, UsageError
from agentflows.model import Price
from agentflows.store import State
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply

PRICE = Price(input=10, output=50, cache_read=1, cache_write=12.5)
LEVEL = "dream:drm_1"


class Verdict(BaseModel):
    same: bool
    score: int = Field(ge=0, le=5)


class Name(BaseModel):
    name: str


@dataclass
class Office:
    """One process's view: a client whose budget is in a database that outlives it."""

    fake: FakeMessagesAPI
    state: State
    claude: Claude

    def balance(self) -> Spend:
        return self.state.balance(LEVEL)

    def collect(self, handle_id: str, *custom_ids: str) -> dict[str, Answer[Any] | ModelError]:
        return dict(self.claude.collect_batch(handle_id, dict.fromkeys(custom_ids, Verdict)))

    def close(self) -> None:
        self.claude.close()
        self.state.close()


class Opener:
    """Opens offices on one endpoint and one database."""

    def __init__(self, fake: FakeMessagesAPI, folder: Path) -> None:
        self.fake = fake
        self._url = f"sqlite:///{folder / 'state.db'}"
        self._opened: list[Office] = []

    def __call__(self, budget: Budget | None = None, **client: Any) -> Office:
        state = State(self._url)
        purse = state.purse({LEVEL: budget or Budget()})
        arguments: dict[str, Any] = {
            "model": "model-x",
            "api_key": self.fake.api_key,
            "base_url": self.fake.url,
            "purse": purse,
            "on_call": purse.record_call,
            "prices": {"model-x": PRICE},
            "pace": Pace(sleep=lambda _: None),
        }
        self._opened.append(Office(self.fake, state, Claude(**{**arguments, **client})))
        return self._opened[-1]

    def close(self) -> None:
        for office in self._opened:
            office.close()


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def open_office(fake: FakeMessagesAPI, tmp_path: Path) -> Iterator[Opener]:
    opener = Opener(fake, tmp_path)
    yield opener
    opener.close()


@pytest.fixture
def office(open_office: Opener) -> Office:
    return open_office()


def ask(material: str, schema: type[BaseModel] = Verdict, **changed: Any) -> BatchAsk:
    arguments: dict[str, Any] = {"system": ["You judge."], "user": [material, "The same?"], "max_tokens": 100}
    return BatchAsk(**{**arguments, **changed}, schema=schema)


def scored(request: FakeRequest) -> dict[str, Any]:
    """A verdict that tells which material was seen: its score is the digit in it."""
    material = request.body["messages"][0]["content"][0]["text"]
    return {"same": True, "score": int(material[-1])}


def failed(results: dict[str, Answer[Any] | ModelError], custom_id: str) -> ModelError:
    found = results[custom_id]
    assert isinstance(found, ModelError)
    return found


# -- results -------------------------------------------------------------------------------------------


def test_results_come_unordered_and_go_by_their_custom_id(office: Office):
    """The fake hands them out in another order than asked, as the API may."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask(f"pair {n}") for n in range(4)], purpose="judge")
    assert office.claude.poll_batch(handle.id).is_ended
    results = office.collect(handle.id, *handle.custom_ids)
    assert list(results) == list(reversed(handle.custom_ids))
    assert [getattr(results[custom_id], "value", None) for custom_id in handle.custom_ids] == [
        Verdict(same=True, score=n) for n in range(4)
    ]


def test_each_result_is_held_to_its_own_schema(office: Office):
    """One batch may ask different things; a schema that is not given leaves its result uncollected, not unpaid."""
    office.fake.when("who", {"name": "Ada"}).script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("who", Name), ask("pair 2")], purpose="judge")
    office.claude.poll_batch(handle.id)
    first, who, _ = handle.custom_ids
    results = dict(office.claude.collect_batch(handle.id, {who: Name, first: Verdict}))
    assert {key: getattr(result, "value", None) for key, result in results.items()} == {
        who: Name(name="Ada"),
        first: Verdict(same=True, score=1),
    }
    assert len(office.state.calls(purpose="judge")) == 3


def test_custom_ids_are_the_same_in_every_process(open_office: Opener):
    """A caller who lost everything but its questions can still tell which result is whose."""
    open_office.fake.script(scored)
    asks = [ask("pair 1"), ask("pair 2"), ask("pair 1", Name), ask("pair 1", max_tokens=101)]
    first = open_office().claude.submit_batch(asks, purpose="judge")
    second = open_office().claude.submit_batch(list(reversed(asks)), purpose="other")
    assert first.custom_ids == tuple(reversed(second.custom_ids))
    assert len(set(first.custom_ids)) == 4
    assert first.id != second.id


def test_equal_questions_are_asked_and_paid_once(office: Office):
    """The endpoint refuses a batch with one custom id twice."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 1")], purpose="judge")
    assert handle.custom_ids[0] == handle.custom_ids[1]
    assert len(office.fake.batches[0].requests) == 1


def test_states_tell_how_far_a_batch_is(tmp_path: Path):
    """It ends at the third look here; until then its results cannot be collected, and nothing is settled."""
    with FakeMessagesAPI(batch_polls=4).script(scored) as fake:
        opener = Opener(fake, tmp_path)
        office = opener()
        handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
        reserved = office.balance()
        state = office.claude.poll_batch(handle.id)
        assert (state.status, state.processing, state.requests, state.seconds) == ("in_progress", 2, 2, 0.0)
        with pytest.raises(UsageError, match=r"in_progress with 2 of 2 .* Poll it until it has ended"):
            office.collect(handle.id, *handle.custom_ids)
        assert office.balance() == reserved
        assert not office.claude.poll_batch(handle.id).is_ended
        state = office.claude.poll_batch(handle.id)
        assert (state.is_ended, state.succeeded, state.processing) == (True, 2, 0)
        opener.close()


# -- a process that did not submit -----------------------------------------------------------------------


def test_another_process_collects_with_nothing_but_the_stored_id(open_office: Opener, tmp_path: Path):
    """Everything is closed in between; the id goes through a file, and the budget through the database."""
    open_office.fake.script(scored)
    before = open_office(Budget(tokens=1_000_000))
    handle = before.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    (tmp_path / "handle").write_text(json.dumps([handle.id, handle.custom_ids]))
    assert before.balance().reserved_tokens > 0
    before.close()

    handle_id, custom_ids = json.loads((tmp_path / "handle").read_text())
    after = open_office(Budget(tokens=1_000_000))
    assert after.claude.poll_batch(handle_id).succeeded == 2
    results = after.collect(handle_id, *custom_ids)
    answers = [result for result in results.values() if isinstance(result, Answer)]
    balance = after.balance()
    assert len(answers) == 2
    assert balance.tokens == sum(answer.usage.total for answer in answers)
    assert balance.dollars == pytest.approx(sum(answer.dollars for answer in answers)) != 0
    assert (balance.reserved_tokens, balance.reserved_dollars) == (0, 0.0)
    assert len(open_office.fake.batches) == 1


def test_collecting_again_gives_the_same_and_charges_nothing(office: Office):
    """Whoever died after collecting, and before its results were safe, collects again."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    office.claude.poll_batch(handle.id)
    first = office.collect(handle.id, *handle.custom_ids)
    spent, usage, calls = office.balance(), office.state.spent(LEVEL).usage, office.state.calls()
    assert office.collect(handle.id, *handle.custom_ids) == first
    assert (office.balance(), office.state.spent(LEVEL).usage, office.state.calls()) == (spent, usage, calls)


def test_stopping_halfway_settles_all_the_same(office: Office):
    """The batch is paid for as a whole when it is fetched, not as its results are looked at."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    office.claude.poll_batch(handle.id)
    next(office.claude.collect_batch(handle.id, dict.fromkeys(handle.custom_ids, Verdict)))
    assert office.balance().reserved_tokens == 0
    assert office.balance().tokens > 0


# -- what did not succeed --------------------------------------------------------------------------------


def test_what_errored_or_expired_is_named_and_costs_nothing(office: Office):
    """The others are not touched by it; the kinds are those of `ask`."""
    office.fake.when("pair 1", Reply.error(400, "too odd"), Reply.overloaded())
    office.fake.when("pair 2", Reply.expired()).when("pair 3", Reply.error(500)).script(scored)
    handle = office.claude.submit_batch([ask(f"pair {n}") for n in range(4)], purpose="judge")
    state = office.claude.poll_batch(handle.id)
    assert (state.succeeded, state.errored, state.expired) == (1, 2, 1)
    results = office.collect(handle.id, *handle.custom_ids)
    good, odd, late, broken = handle.custom_ids
    assert isinstance(results[good], Answer)
    errors = [failed(results, custom_id) for custom_id in (odd, late, broken)]
    assert [(type(error), error.kind) for error in errors] == [
        (EndpointError, "invalid_request"),
        (EndpointError, "expired"),
        (EndpointError, "server_error"),
    ]
    assert "too odd" in str(errors[0])
    assert {(error.tokens, error.dollars) for error in errors} == {(0, 0.0)}
    answer = results[good]
    assert isinstance(answer, Answer)
    assert (office.balance().tokens, office.balance().reserved_tokens) == (answer.usage.total, 0)
    assert sorted(call.outcome for call in office.state.calls()) == [
        "expired",
        "invalid_request",
        "ok",
        "server_error",
    ]


def test_what_was_canceled_is_named_and_gives_its_money_back(tmp_path: Path):
    """A batch that nobody wants any more stops costing."""
    with FakeMessagesAPI(batch_polls=9) as fake:
        opener = Opener(fake, tmp_path)
        office = opener()
        handle = office.claude.submit_batch([ask("pair 1")], purpose="judge")
        assert office.claude.cancel_batch(handle.id).status == "canceling"
        assert office.claude.poll_batch(handle.id).canceled == 1
        error = failed(office.collect(handle.id, *handle.custom_ids), handle.custom_ids[0])
        assert error.kind == "canceled"
        assert (office.balance().tokens, office.balance().reserved_tokens) == (0, 0)
        opener.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.text('{"same": true, "score": 9}'), "off_schema"),
        (Reply.text("I would rather not say."), "no_json"),
        (Reply.refusal("harm"), "refusal"),
        (Reply.truncated('{"same": tr'), "truncated"),
    ],
    ids=["schema", "json", "refusal", "cut"],
)
def test_a_reply_that_cannot_be_used_is_an_error_and_paid_for(office: Office, reply: Reply, kind: str):
    """`succeeded` only means that the model replied. There is nobody to repair it in a batch."""
    office.fake.script(lambda _: reply)
    handle = office.claude.submit_batch([ask("pair 1")], purpose="judge")
    office.claude.poll_batch(handle.id)
    error = failed(office.collect(handle.id, *handle.custom_ids), handle.custom_ids[0])
    assert isinstance(error, ModelOutputError)
    assert (error.kind, error.attempts, error.tokens) == (kind, 1, office.balance().tokens)
    assert error.tokens > 0
    assert error.request_id.startswith("msg_fake_")


def test_a_result_that_is_not_told_counts_as_spent(office: Office):
    """Ended is not the same as complete; what is missing may have run."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    office.claude.poll_batch(handle.id)
    office.fake.batches[0].results.pop()
    results = office.collect(handle.id, *handle.custom_ids)
    lost = failed(results, handle.custom_ids[0])
    told = results[handle.custom_ids[1]]
    assert isinstance(told, Answer)
    assert (lost.kind, lost.tokens > told.usage.total) == ("missing", True)
    assert office.balance().tokens == lost.tokens + told.usage.total
    assert office.balance().dollars == pytest.approx(lost.dollars + told.dollars)


@pytest.mark.parametrize("result", [{"type": "paused"}, {"type": "succeeded", "message": {"type": "note"}}])
def test_a_result_of_no_known_kind_counts_as_spent(office: Office, result: dict[str, Any]):
    """A newer API, or a server that is compatible only in part. The other results are still good."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    office.claude.poll_batch(handle.id)
    odd, good = office.fake.batches[0].results
    odd["result"] = {**odd["result"], **result}
    odd["result"].pop("message" if result["type"] == "paused" else "none", None)
    results = office.collect(handle.id, *handle.custom_ids)
    error = failed(results, odd["custom_id"])
    assert (error.kind, error.tokens > 0) == ("not_a_message", True)
    assert isinstance(results[good["custom_id"]], Answer)


def test_a_reply_without_usage_counts_as_spent(office: Office):
    """An endpoint that does not count leaves the outcome unknown."""
    office.fake.script(lambda _: Reply.json({"same": True, "score": 1}).counting())
    handle = office.claude.submit_batch([ask("pair 1")], purpose="judge")
    reserved = office.balance()
    office.claude.poll_batch(handle.id)
    (answer,) = office.collect(handle.id, *handle.custom_ids).values()
    assert isinstance(answer, Answer)
    assert office.balance().tokens == reserved.reserved_tokens
    assert answer.dollars == pytest.approx(office.balance().dollars) == reserved.reserved_dollars


# -- the budget ------------------------------------------------------------------------------------------


def test_a_batch_that_is_too_dear_is_refused_before_anything_is_sent(open_office: Opener):
    """Each of the ten alone would fit; what is asked for is all of them."""
    office = open_office(Budget(tokens=4_000))
    with pytest.raises(BudgetError, match="judge"):
        office.claude.submit_batch([ask(f"pair {n}") for n in range(10)], purpose="judge")
    assert open_office.fake.batches == []
    assert office.balance() == Spend()


def test_two_batches_share_a_budget(open_office: Opener):
    """What the first one may cost is set aside until it is collected; then there is room again."""
    open_office.fake.script(scored)
    office = open_office(Budget(tokens=1_200))
    first = office.claude.submit_batch([ask("pair 1")], purpose="judge")
    with pytest.raises(BudgetError):
        office.claude.submit_batch([ask("pair 2")], purpose="judge")
    office.claude.poll_batch(first.id)
    office.collect(first.id, *first.custom_ids)
    assert office.claude.submit_batch([ask("pair 2")], purpose="judge").custom_ids != first.custom_ids


class ToTheFake(httpx2.BaseTransport):
    """Stands in for the network between Anthropic's address and the fake."""

    def __init__(self, url: str) -> None:
        self._url = httpx2.URL(url)
        self._inner = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host=self._url.host, port=self._url.port)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def test_a_batch_costs_half_at_anthropics_own_endpoint_only(open_office: Opener):
    """The discount is Anthropic's; another server's prices are the user's to say."""
    open_office.fake.script(scored)
    dollars: list[float] = []
    with httpx2.Client(transport=ToTheFake(open_office.fake.url)) as network:
        places: list[dict[str, Any]] = [{}, {"base_url": "", "http_client": network}]
        for where in places:
            office = open_office(**where)
            handle = office.claude.submit_batch([ask("pair 1")], purpose="judge")
            dollars.append(office.balance().reserved_dollars)
            office.claude.poll_batch(handle.id)
            (answer,) = office.collect(handle.id, *handle.custom_ids).values()
            assert isinstance(answer, Answer)
            dollars.append(answer.dollars)
    reserved, paid, reserved_there, paid_there = dollars
    assert (reserved_there, paid_there) == (pytest.approx(reserved / 2), pytest.approx(paid / 2))


# -- the connection --------------------------------------------------------------------------------------


def test_a_batch_is_not_created_twice_because_an_answer_was_lost(office: Office):
    """The connection drops after the batch was created: nobody can tell, so it is spent and not repeated."""
    office.fake.first_on_batches(Reply.drop())
    reserved = (
        2
        * office.claude.estimate(
            system=["You judge."], user=["pair 1", "The same?"], schema=Verdict, max_tokens=100
        ).tokens
    )
    with pytest.raises(EndpointError, match="dropped") as caught:
        office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    assert (caught.value.kind, caught.value.attempts) == ("dropped", 1)
    assert caught.value.tokens == office.balance().tokens == reserved
    assert caught.value.dollars == pytest.approx(office.balance().dollars) != 0
    assert len(office.fake.batches) == 1


@pytest.mark.parametrize("reply", [Reply.broken_json(), Reply.wrong_content_type()], ids=["json", "type"])
def test_a_created_batch_without_an_id_counts_as_spent(office: Office, reply: Reply):
    """Something answered 200. Whether it was the API, and what it did, is unknown."""
    office.fake.first_on_batches(reply)
    with pytest.raises(EndpointError) as caught:
        office.claude.submit_batch([ask("pair 1")], purpose="judge")
    assert caught.value.kind == "not_a_message"
    assert office.balance().tokens == caught.value.tokens > 0


def test_a_refused_batch_is_tried_again_and_created_once(office: Office):
    """Status 529 means that nothing was done."""
    office.fake.first_on_batches(Reply.overloaded(), Reply.error(429))
    office.claude.submit_batch([ask("pair 1")], purpose="judge")
    assert len(office.fake.batches) == 1
    assert office.balance().calls == 1


def test_a_batch_refused_for_good_costs_nothing(office: Office):
    """All attempts were answered with an error, so none of them ran."""
    office.fake.first_on_batches(*[Reply.overloaded()] * 4)
    with pytest.raises(EndpointError) as caught:
        office.claude.submit_batch([ask("pair 1")], purpose="judge")
    assert (caught.value.kind, caught.value.attempts, caught.value.tokens) == ("overloaded", 4, 0)
    assert office.balance() == Spend()


@pytest.mark.parametrize("fault", [Reply.drop(), Reply.drop("mid_body"), Reply.error(503)], ids=str)
def test_looking_and_fetching_are_tried_again(office: Office, fault: Reply):
    """Both can be repeated without harm, so a lost answer is no loss."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
    office.fake.first_on_batches(fault)
    assert office.claude.poll_batch(handle.id).is_ended
    # a look, the SDK's own look, and the results: the faults meet the first and the last of them
    office.fake.first_on_batches(fault, Reply(), Reply(), fault)
    results = office.collect(handle.id, *handle.custom_ids)
    assert [type(result) for result in results.values()] == [Answer, Answer]


class LosesALine(ToTheFake):
    """A proxy that ends the first results it passes on a line early, and calls that whole."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.lost = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        if self.lost or not request.url.path.endswith("/results"):
            return response
        self.lost += 1
        kept = response.read().splitlines(keepends=True)[:-1]
        response.close()
        return httpx2.Response(
            200, headers={"content-type": "application/x-jsonl"}, content=b"".join(kept), request=request
        )


def test_results_that_end_early_are_fetched_again(open_office: Opener):
    """A cut at the end of a line breaks no JSON; only the count tells."""
    open_office.fake.script(scored)
    proxy = LosesALine(open_office.fake.url)
    with httpx2.Client(transport=proxy) as network:
        office = open_office(http_client=network)
        handle = office.claude.submit_batch([ask("pair 1"), ask("pair 2")], purpose="judge")
        office.claude.poll_batch(handle.id)
        results = office.collect(handle.id, *handle.custom_ids)
    assert [type(result) for result in results.values()] == [Answer, Answer]
    assert proxy.lost == 1


def test_results_that_cannot_be_had_leave_the_money_set_aside(office: Office):
    """They are there, and paid for; they can be collected another time."""
    office.fake.script(scored)
    handle = office.claude.submit_batch([ask("pair 1")], purpose="judge")
    office.claude.poll_batch(handle.id)
    reserved = office.balance()
    office.fake.first_on_batches(*[Reply.error(500)] * 4)
    with pytest.raises(EndpointError, match="server_error"):
        office.collect(handle.id, *handle.custom_ids)
    assert office.balance() == reserved
    assert isinstance(office.collect(handle.id, *handle.custom_ids)[handle.custom_ids[0]], Answer)


# -- wrong use -------------------------------------------------------------------------------------------


def test_a_batch_the_endpoint_does_not_know_is_not_found(open_office: Opener, tmp_path: Path):
    """Results are not kept for ever, and an id may be of another account."""
    open_office.fake.script(scored)
    handle = open_office().claude.submit_batch([ask("pair 1")], purpose="judge")
    with FakeMessagesAPI() as other:
        opener = Opener(other, tmp_path)
        with pytest.raises(EndpointError) as caught:
            opener().claude.poll_batch(handle.id)
        opener.close()
    assert (caught.value.kind, caught.value.status) == ("not_found", 404)


@pytest.mark.parametrize(
    "text", ["", "msgbatch_01", "[]", '["a", "b", "many", 1, 2.0, "p"]', '{"id": 1}', "7"]
)
def test_what_is_no_id_of_a_batch_is_refused(office: Office, text: str):
    """The endpoint's own id does not say which reservation pays."""
    for use in (office.claude.poll_batch, office.claude.cancel_batch, office.collect):
        with pytest.raises(UsageError, match=r"no id of a batch.*unchanged"):
            use(text)
    assert office.fake.refused == []


def test_an_empty_batch_is_refused(office: Office):
    """Nothing to ask is a mistake of the caller, not a batch without results."""
    with pytest.raises(UsageError, match="1 to 100,000"):
        office.claude.submit_batch([], purpose="judge")
    assert office.balance() == Spend()
