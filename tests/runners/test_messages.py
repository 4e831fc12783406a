"""The messages runner: our tools around any endpoint, and an end that has a name whatever the endpoint does."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition, Job, Transcript
from agentflows.budget import Purse, UnlimitedPurse
from agentflows.change import Budget
from agentflows.claude import Call, CallRecord, Claude, Ending, Pace, Rules, Talk, Tool
from agentflows.claude import Reply as ModelReply
from agentflows.errors import BudgetError, EndpointError, SandboxError, SettingsError
from agentflows.home import Home, open_home
from agentflows.runners import MessagesRunner
from agentflows.testing import FakeMessagesAPI, Reply
from tests.runners.conftest import MODEL, Run, calls, writer

pytestmark = pytest.mark.usefixtures("sandbox_here")

WRITE = Reply.tool_use("write", {"path": "a.txt", "content": "hi"}, text="I write.")
READ = Reply.tool_use("read", {"path": "a.txt"})
DONE = Reply.text("Done.")


def told(done: Transcript) -> list[tuple[str, str]]:
    return [(turn.kind, turn.text) for turn in done.session.turns]


# -- work -----------------------------------------------------------------------------------------


def test_an_agent_works_with_tools_until_it_says_it_is_done(run: Run, fake: FakeMessagesAPI, workspace: Path):
    """Files, a command, their results in the order of the calls, and the whole of it as a session."""
    both = calls(
        Reply.tool_use("bash", {"command": "cat a.txt && false"}),
        READ,
        Reply.tool_use("glob", {"pattern": "*"}),
    )
    fake.queue(WRITE, both, DONE)
    done = run()
    assert (done.end, done.text, done.tool_calls, done.tool_errors) == ("finished", "Done.", 4, 1)
    assert (workspace / "a.txt").read_text() == "hi"
    assert told(done) == [
        ("user", "Write a.txt."),
        ("agent", "I write."),
        ("tool_call", '{"content":"hi","path":"a.txt"}'),
        ("tool_result", "a.txt holds 2 bytes now."),
        ("tool_call", '{"command":"cat a.txt && false"}'),
        ("tool_call", '{"path":"a.txt"}'),
        ("tool_call", '{"pattern":"*"}'),
        ("tool_result", "Exit code 1.\nhi"),
        ("tool_result", "hi"),
        ("tool_result", "a.txt"),
        ("agent", "Done."),
    ]
    assert done.usage.output_tokens > 0
    assert done.dollars > 0
    assert done.session.usage == done.usage
    assert not fake.refused
    assert all(
        "thread" not in request.body and "anthropic-beta" not in request.headers for request in fake.requests
    )


def test_memory_is_quoted_data_and_read_only(run: Run, fake: FakeMessagesAPI):
    """Never in the system prompt; in the shell and for the file tools a folder that nobody writes; never evidence."""
    look = calls(
        Reply.tool_use(
            "bash", {"command": "cat /memory/prefs.md; echo x > /memory/prefs.md || echo refused"}
        ),
        Reply.tool_use("read", {"path": "/memory/prefs.md"}),
        Reply.tool_use("write", {"path": "/memory/prefs.md", "content": "mine"}),
    )
    fake.queue(look, DONE)
    done = run(memory={"/prefs.md": "- 2026-01-05: use tabs"})
    body = fake.requests[0].body
    assert "use tabs" not in json.dumps(body["system"])
    assert "use tabs" in body["messages"][0]["content"][0]["text"]
    results = [turn for turn in done.session.turns if turn.kind == "tool_result"]
    assert "use tabs" in results[0].text
    assert "refused" in results[0].text
    assert results[1].text == "- 2026-01-05: use tabs"
    assert "is read-only" in results[2].text
    recalled = [turn for turn in done.session.turns if "use tabs" in turn.text]
    assert all(span.kind == "recalled" for turn in recalled for span in turn.spans)
    assert all(turn.spans for turn in recalled)


def test_a_revision_goes_on_in_the_agents_own_context(run: Run, fake: FakeMessagesAPI):
    """It knows what it did; its session has the new turns only, so that nothing counts twice."""
    fake.queue(WRITE, DONE, Reply.text("Mended."))
    first = run()
    second = run(
        job_id="outc_1/attempt/1", feedback="has_date: unmet", state=first.state, parent_id="outc_1/attempt/0"
    )
    messages = fake.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert "has_date: unmet" in messages[-1]["content"][0]["text"]
    assert told(second) == [("user", "has_date: unmet"), ("agent", "Mended.")]
    assert second.session.turns[0].trust == 1
    assert second.session.root_id == "outc_1/attempt/0"
    assert 0 < second.dollars < first.dollars + second.dollars


def test_a_revision_without_its_context_is_told_the_task_again(run: Run, fake: FakeMessagesAPI):
    """Where the state was lost, feedback alone would be about nothing."""
    fake.queue(DONE)
    run(feedback="has_date: unmet")
    texts = [block["text"] for block in fake.requests[0].body["messages"][0]["content"]]
    assert texts[0] == "Write a.txt."
    assert "has_date: unmet" in texts[1]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Reply.tool_use("read", {"path": "../secret"}), "is not a path of the workspace"),
        (Reply.tool_use("read", {"path": "/etc/passwd"}), "is not a path of the workspace"),
        (Reply.tool_use("read", {"pth": "a"}), "path: Field required; pth: Extra inputs"),
        (Reply.tool_use("edit", {"path": "none.txt", "old": "a", "new": "b"}), "none.txt"),
        (Reply.tool_use("write", {"path": "seen.txt", "content": "b"}), "you have not read it"),
        (Reply.tool_use("grep", {"pattern": "("}), "cannot be used"),
        (Reply.tool_use("bash", {"command": "sleep 30", "timeout_seconds": 1}), "was killed after 1 s"),
        (Reply.tool_use("bash", {"command": "cat /etc/shadow"}), "Exit code 1"),
        (Reply.tool_use("bash", {"command": "curl -s --max-time 2 http://127.0.0.1:1"}), "Exit code"),
        (Reply.tool_use("bash", {"command": "x\0y"}), "NUL"),
    ],
)  # fmt: skip
def test_a_tools_failure_is_a_sentence_for_the_model(
    run: Run, fake: FakeMessagesAPI, workspace: Path, call: Reply, expected: str
):
    """An error result with what to do; the run goes on, and nothing of ours is in it."""
    (workspace / "seen.txt").write_text("a")
    fake.queue(call, DONE)
    done = run()
    assert done.end == "finished"
    assert done.tool_errors == 1
    result = fake.requests[1].body["messages"][-1]["content"][0]
    assert result["is_error"] is True
    assert expected in result["content"]
    assert "Traceback" not in result["content"]
    assert str(workspace) not in result["content"]


def test_a_command_may_take_as_long_as_the_model_is_told(run: Run, fake: FakeMessagesAPI):
    """The schema says 600 s: a build that needs them all, on all cores, ends by itself."""
    fake.queue(Reply.tool_use("bash", {"command": "ulimit -t", "timeout_seconds": 600}), DONE)
    run()
    schema = next(tool for tool in fake.requests[0].body["tools"] if tool["name"] == "bash")["input_schema"]
    most = schema["properties"]["timeout_seconds"]["maximum"]
    result = fake.requests[1].body["messages"][-1]["content"][0]["content"]
    assert most == 600
    assert int(str(result)) == most * len(os.sched_getaffinity(0))


def test_our_environment_is_not_in_reach_of_its_shell(
    run: Run, fake: FakeMessagesAPI, monkeypatch: pytest.MonkeyPatch
):
    """Keys stay with whoever runs the agent."""
    monkeypatch.setenv("SECRET_TOKEN", "sk-very-secret")
    fake.queue(
        Reply.tool_use("bash", {"command": "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'"}), DONE
    )
    done = run()
    assert "sk-very-secret" not in done.session.turns[2].text
    assert fake.api_key not in done.session.turns[2].text


def test_an_unknown_tool_is_answered_with_those_there_are(run: Run, fake: FakeMessagesAPI):
    """Some models make tools up, and an agent's file may change under a run: that ends nothing."""
    fake.queue(Reply.tool_use("bash", {"command": "ls"}), DONE)
    states: list[str] = []
    begun = run(keep=states.append, stop=lambda: "stop" if states else "")
    done = run(writer(tools=("read", "glob")), state=begun.state)
    assert done.end == "finished"
    assert [tool["name"] for tool in fake.requests[1].body["tools"]] == ["read", "glob"]
    result = fake.requests[1].body["messages"][-1]["content"][0]
    assert (result["is_error"], result["content"]) == (
        True,
        "There is no tool 'bash'. The tools are: glob, read.",
    )


# -- ends -----------------------------------------------------------------------------------------


@dataclass
class Rig:
    """One runner with a clock that only sleeping moves, over one endpoint."""

    fake: FakeMessagesAPI
    job: Job
    purse: UnlimitedPurse = field(default_factory=UnlimitedPurse)
    records: list[CallRecord] = field(default_factory=list[CallRecord])
    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def client(self, capped: Purse, *, model: str, has_own_ceiling: bool) -> Claude:
        pace = Pace(clock=lambda: self.now, sleep=self.sleep, chance=lambda: 0.99)
        return Claude(
            model=model or MODEL,
            api_key=self.fake.api_key,
            base_url=self.fake.url,
            purse=capped,
            pace=pace,
            deadline_seconds=30,
            on_call=self.records.append,
            is_money_capped=has_own_ceiling,
        )

    def run(self, agent: AgentDefinition | None = None, **given: Any) -> Transcript:
        return MessagesRunner(self.client, self.purse).run(agent or writer(), self.job, **given)


@pytest.fixture
def rig(fake: FakeMessagesAPI, job: Job) -> Rig:
    return Rig(fake, job)


def always(reply: Reply) -> Callable[[object], Reply]:
    return lambda _: reply


FAULTS: dict[str, tuple[Reply, str]] = {
    "overloaded": (Reply.overloaded(), "overloaded"),
    "server_error": (Reply.error(500), "server_error"),
    "bad_gateway": (Reply.error(502), "server_error"),
    "rate_limit": (Reply.error(429), "rate_limit"),
    "rate_limit_far": (Reply.error(429, retry_after=4_294_967), "rate_limit"),
    "timeout": (Reply.error(408), "timeout"),
    "not_retried": (Reply.error(529, should_retry=False), "overloaded"),
    "invalid": (Reply.error(400, "tools.0: bad"), "invalid_request"),
    "authentication": (Reply.error(401), "authentication"),
    "billing": (Reply.error(402), "billing"),
    "permission": (Reply.error(403), "permission"),
    "not_found": (Reply.error(404), "not_found"),
    "conflict": (Reply.error(409), "conflict"),
    "unprocessable": (Reply.error(422), "invalid_request"),
    "drop_before": (Reply.drop("before_headers"), "dropped"),
    "drop_after": (Reply.drop("after_headers"), "dropped"),
    "drop_mid": (Reply.drop("mid_body"), "dropped"),
    "broken_json": (Reply.broken_json(), "not_a_message"),
    "web_page": (Reply.wrong_content_type(), "not_a_message"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_the_first_reply_is_a_typed_error(rig: Rig, name: str):
    """Nothing was done, so there is nothing to grade: whoever asked learns why. At most four requests, all settled."""
    reply, kind = FAULTS[name]
    rig.fake.script(always(reply))
    with pytest.raises(EndpointError) as raised:
        rig.run()
    assert raised.value.kind == kind
    assert 1 <= len(rig.fake.requests) <= 4
    assert rig.purse.spent().reserved_tokens == 0
    assert [record.outcome for record in rig.records] == [kind]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_midway_is_a_failed_run_with_what_was_done(rig: Rig, name: str):
    """The work stays, is recorded and can be graded; it is never called finished."""
    reply, kind = FAULTS[name]
    rig.fake.queue(WRITE)
    rig.fake.script(always(reply))
    done = rig.run()
    assert done.end == "failed"
    assert kind in done.detail
    assert (rig.job.workspace / "a.txt").read_text() == "hi"
    assert len(rig.fake.requests) <= 5
    assert rig.purse.spent().reserved_tokens == 0
    assert rig.purse.spent().dollars == pytest.approx(done.dollars)


ENDS: dict[str, tuple[list[Reply], str, str]] = {
    "end_turn": ([DONE], "finished", ""),
    "stop_sequence": ([Reply.stopped("stop_sequence", "Done.")], "finished", ""),
    "max_tokens": ([Reply.truncated("Don")], "truncated", "16,000 tokens"),
    "window": ([Reply.stopped("model_context_window_exceeded", "Don")], "truncated", "longer than the model"),
    "refusal": ([Reply.refusal("cyber")], "refused", "declined (cyber)"),
    "no_reason": ([Reply.stopped(None, "Done.")], "failed", "stop reason is None"),
    "unknown_reason": ([Reply.stopped("tired", "Done.")], "failed", "stop reason is 'tired'"),
    "tool_use_alone": ([Reply.stopped("tool_use", "I will.")], "failed", "called none"),
    "paused": ([Reply.stopped("pause_turn", "Wait."), DONE], "finished", ""),
    "compacted": ([Reply.stopped("compaction", "In short."), DONE], "finished", ""),
    "paused_forever": ([Reply.stopped("pause_turn", "Wait.")] * 4, "cap_reached", "max_turns, 4"),
    "cut_calls": ([replace(WRITE, stop_reason="max_tokens")], "truncated", "16,000"),
    "refused_calls": ([replace(WRITE, stop_reason="refusal")], "refused", "declined"),
    "reasonless_calls": ([replace(WRITE, stop_reason=None)], "failed", "stop reason is None"),
    "too_large": ([WRITE, Reply.error(413)], "truncated", "does not take a conversation of this length"),
    "window_of_others": (
        [WRITE, Reply.error(400, "This model's maximum context length is 8192 tokens.")],
        "truncated",
        "does not take a conversation of this length",
    ),
    "turns": ([replace(WRITE), READ, Reply.tool_use("glob", {"pattern": "*"}), READ], "cap_reached", "max_turns, 4"),
    "same_call": ([WRITE, READ, READ, READ], "cap_reached", "it called read 3 times in a row"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_every_stop_reason_has_its_end(rig: Rig, name: str):
    """The table of stop reasons: only end_turn and stop_sequence are success, and tools of a cut reply never run."""
    replies, end, detail = ENDS[name]
    rig.fake.queue(*replies)
    done = rig.run(writer(max_turns=4))
    assert (done.end, detail in done.detail) == (end, True), done.detail
    assert not rig.fake.refused
    if name.endswith("_calls"):
        assert not (rig.job.workspace / "a.txt").exists()


def test_calls_under_a_wrong_stop_reason_are_run_and_noted(rig: Rig):
    """Some servers end a reply with end_turn although it calls tools: taken at its word, work would be lost."""
    rig.fake.queue(replace(WRITE, stop_reason="end_turn"), DONE)
    done = rig.run()
    assert done.end == "finished"
    assert (rig.job.workspace / "a.txt").exists()
    assert any("calls tools all the same" in text for kind, text in told(done) if kind == "system")


def test_after_a_cut_reply_a_revision_is_still_a_faultless_request(rig: Rig):
    """A call that was never run must be answered, or every later request is refused."""
    rig.fake.queue(replace(WRITE, stop_reason="max_tokens"), DONE)
    first = rig.run()
    rig.job = rig.job.model_copy(update={"job_id": "j2", "feedback": "Go on.", "state": first.state})
    assert rig.run().end == "finished"
    assert not rig.fake.refused


def test_an_answer_without_words_is_an_end_all_the_same(rig: Rig):
    """An empty end_turn: nothing to send back, nothing to wait for."""
    rig.fake.queue(WRITE, Reply.stopped("end_turn"))
    done = rig.run()
    assert (done.end, done.text) == ("finished", "I write.")


def test_half_a_surrogate_pair_breaks_nothing(rig: Rig):
    """Models write them, JSON carries them, UTF-8 does not."""
    rig.fake.queue(Reply.tool_use("write", {"path": "a.txt", "content": "\ud83d"}, text="a \ud83d"), DONE)
    done = rig.run()
    assert done.end == "finished"
    assert not rig.fake.refused


@dataclass
class Told:
    """Takes what a loop reports."""

    results: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])

    def replied(self, reply: ModelReply) -> None:
        """Not looked at."""

    def ran(self, call: Call, text: str, *, is_error: bool) -> None:
        self.results.append((text, is_error))

    def noted(self, text: str) -> None:
        """Not looked at."""

    def saved(self) -> None:
        """Not looked at."""


def converse(rig: Rig, act: Callable[[dict[str, Any]], str]) -> tuple[Ending, Told]:
    """A conversation with one tool, `act`, that the model calls once."""
    rig.fake.queue(Reply.tool_use("act", {}), DONE)
    tool = Tool("act", "Act.", {"type": "object", "properties": {}}, act)
    talk, told_ = Talk(), Told()
    talk.say("Act.")
    rules = Rules(max_turns=5, max_repeats=3, remaining=lambda: 60.0)
    with rig.client(rig.purse, model="", has_own_ceiling=False) as claude:
        ending = claude.converse(talk, system=["s"], tools=[tool], rules=rules, watch=told_, purpose="test")
    return ending, told_


def test_a_missing_sandbox_ends_the_run(rig: Rig):
    """Fails closed: without walls there is no shell, and the model is not asked to find a way around."""

    def act(_: dict[str, Any]) -> str:
        msg = "Commands need a sandbox, and there is none here."
        raise SandboxError(msg)

    ending, _ = converse(rig, act)
    assert (ending.end, ending.detail) == ("failed", "Commands need a sandbox, and there is none here.")
    assert len(rig.fake.requests) == 1


def test_what_a_tool_did_not_foresee_tells_the_model_nothing_of_ours(rig: Rig):
    """The SDK would send the repr of the exception, with whatever paths and secrets stand in it."""

    def act(_: dict[str, Any]) -> str:
        msg = "/root/.netrc: password=hunter2"
        raise OSError(msg)

    ending, told_ = converse(rig, act)
    assert ending.end == "finished"
    assert told_.results == [("The tool act failed unexpectedly (OSError). Try another way.", True)]


def test_an_interrupt_between_turns_keeps_what_was_done(rig: Rig):
    """The reply that was paid for stays, its tools are not run any more, and it can go on later."""
    states: list[str] = []
    rig.fake.queue(WRITE, DONE)
    done = rig.run(keep=states.append, stop=lambda: "stopped by ada" if states else "")
    assert (done.end, done.detail) == ("interrupted", "stopped by ada")
    assert not (rig.job.workspace / "a.txt").exists()
    rig.job = rig.job.model_copy(update={"state": done.state})
    assert rig.run().end == "finished"
    assert (rig.job.workspace / "a.txt").read_text() == "hi"
    assert len(rig.fake.requests) == 2


def test_a_conversation_too_long_for_its_server_ends_before_it_is_cut(rig: Rig):
    """A server that cuts silently must not get the chance."""
    rig.fake.queue(Reply.tool_use("bash", {"command": "yes | head -c 60000"}), DONE)
    done = rig.run(writer(max_context_tokens=8000))
    assert (done.end, len(rig.fake.requests)) == ("truncated", 1)
    assert "max_context_tokens, 8,000" in done.detail


def test_time_is_a_limit(rig: Rig):
    """A run is not asked for another reply when its time is over."""
    rig.fake.queue(Reply.tool_use("bash", {"command": "sleep 5"}), DONE)
    done = rig.run(writer(max_seconds=1.2))
    assert done.end == "cap_reached"
    assert len(rig.fake.requests) == 1


# -- money ----------------------------------------------------------------------------------------


def test_an_agents_own_ceiling_ends_it_with_its_work_kept(rig: Rig):
    """Reserved before each call, so that not even one call goes over."""
    rig.fake.script(
        lambda request: Reply.tool_use("bash", {"command": f"echo {len(request.body['messages'])}"})
    )
    done = rig.run(writer(max_tokens=60_000, max_dollars=1.0))
    assert done.end == "cap_reached"
    assert "limits.max_tokens" in done.detail
    assert rig.purse.spent().tokens <= 60_000
    assert done.usage.total == rig.purse.spent().tokens


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 16_000),
        ({"max_tokens": 40_000}, 10_000),
        ({"max_dollars": 0.2}, 5_000),
        ({"max_dollars": 0.05}, 2_000),
    ],
)
def test_a_small_ceiling_asks_for_shorter_replies(rig: Rig, limits: dict[str, Any], expected: int):
    """What is set aside for one reply is its longest form: a quarter of the ceiling, so that there can be several."""
    rig.fake.queue(DONE)
    assert rig.run(writer(**limits)).end == "finished"
    assert rig.fake.requests[0].body["max_tokens"] == expected


def test_what_is_not_affordable_at_all_is_an_error(rig: Rig):
    """Not even the first reply: nothing ran, so there is no transcript to hand out."""
    with pytest.raises(BudgetError, match=r"limits\.max_tokens"):
        rig.run(writer(max_tokens=100))
    assert not rig.fake.requests


def test_an_unknown_outcome_counts_as_spent(rig: Rig):
    """A dropped connection may have been billed: four of them, and the run is charged for all."""
    rig.fake.queue(WRITE)
    rig.fake.script(always(Reply.drop("mid_body")))
    done = rig.run()
    assert done.end == "failed"
    assert rig.purse.spent().tokens > 4 * 16_000
    assert done.dollars == pytest.approx(rig.purse.spent().dollars)


def test_parallel_agents_stay_below_one_ceiling(home: Home, fake: FakeMessagesAPI, tmp_path: Path):
    """Eight agents on one purse: the sum is never over, whatever the order."""
    fake.script(lambda request: Reply.tool_use("bash", {"command": f"echo {len(request.body['messages'])}"}))
    purse = home.purse("shared", Budget(tokens=40_000))
    ends: list[str] = []

    def work(number: int) -> None:
        folder = tmp_path / f"w{number}"
        folder.mkdir()
        job = Job(job_id=f"j{number}", task="Loop.", workspace=folder)
        try:
            ends.append(home.runner(writer(max_turns=6), purse).run(writer(max_turns=6), job).end)
        except BudgetError:
            ends.append("budget")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 8
    assert set(ends) <= {"budget", "cap_reached"}
    spent = home.state.balance("dream:shared")
    assert 0 < spent.tokens + spent.reserved_tokens <= 40_000


def test_a_home_without_a_model_says_what_to_set(tmp_path: Path):
    """And which agents need none."""
    with (
        open_home(tmp_path) as home,
        pytest.raises(SettingsError, match=r"ANTHROPIC_API_KEY.*runner: command"),
    ):
        home.runner(writer(), home.purse("x", Budget()))
