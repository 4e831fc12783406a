"""A live lead and its specialists, end to end over the real SDK: what each is told, and what becomes of a job."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.agent import AgentLimits
from agentflows.errors import PlanError
from agentflows.home import Home
from agentflows.team import LEAD as LEAD_THREAD
from agentflows.team import Orchestration, TeamLimits, make_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, calls, prompt, results, send, told, wait

Do = Callable[..., Orchestration]


def at(job: Orchestration, thread_id: str) -> list[str | None]:
    """How the turns of a thread ended."""
    (found,) = [thread for thread in job.threads if thread.thread_id == thread_id]
    return [turn.ending for turn in found.turns]


def test_threads_work_at_once_and_their_reports_come_back(do: Do, fake: FakeMessagesAPI, workspace: Path):
    """Both specialists are in the middle of a reply at the same moment, or the barrier breaks."""
    both = threading.Barrier(2, timeout=30)

    def begins(path: str) -> Callable[[FakeRequest], Reply]:
        def step(_: FakeRequest) -> Reply:
            both.wait()
            return plays.write(path, f"by {path}")

        return step

    heard: list[str] = []

    def ends(request: FakeRequest) -> str:
        heard.extend(results(request))
        return "Both are there."

    plays.script(fake, prompt("a"), begins("a.md"), "wrote a")
    plays.script(fake, prompt("b"), begins("b.md"), "wrote b")
    sent = calls(send("a", "Write a.md", outputs=["a.md"]), send("b", "Write b.md", outputs=["b.md"]))
    # Whoever ends first, a second wait gets the other, and a third says that there is nothing more.
    plays.script(fake, LEAD, sent, calls(wait(), wait(), wait()), ends)

    job = do(plays.team("a", "b"))

    assert (job.status, job.result) == ("succeeded", "Both are there.")
    assert (at(job, "a-1"), at(job, "b-1"), at(job, LEAD_THREAD)) == (
        ["succeeded"],
        ["succeeded"],
        ["succeeded"],
    )
    assert [(workspace / name).read_text() for name in ("a.md", "b.md")] == ["by a.md", "by b.md"]
    reports = "\n".join(heard)
    assert (reports.count("wrote a"), reports.count("wrote b")) == (1, 1)
    assert "Outputs: a.md" in reports
    assert "every report was delivered" in heard[-1]


def test_a_follow_up_goes_on_in_the_threads_own_context(do: Do, fake: FakeMessagesAPI):
    """The thread's second turn is asked with all of its first, and another thread of the same agent with none of it."""
    plays.says(fake, "a")
    plays.script(
        fake,
        LEAD,
        send("a", "Count the PLUMS"),
        wait(),
        calls(send("a-1", "And now the PEARS"), send("a", "Something else")),
        calls(wait(), wait()),
        "Done.",
    )
    job = do(plays.team("a"))
    assert (at(job, "a-1"), at(job, "a-2")) == (["succeeded", "succeeded"], ["succeeded"])
    first, *later = plays.asked_by(fake, prompt("a"))
    (follow_up,) = [request for request in later if "PEARS" in request.text]
    (other,) = [request for request in later if "PEARS" not in request.text]
    assert "PLUMS" in first.last_text
    assert [message["content"][0]["text"] for message in follow_up.body["messages"]] == [
        "Count the PLUMS", "done: Count the PLUMS", "And now the PEARS",
    ]  # fmt: skip
    assert [message["role"] for message in follow_up.body["messages"]] == ["user", "assistant", "user"]
    assert "PLUMS" not in json.dumps(other.body)


def test_a_specialist_is_told_its_task_and_nothing_else(do: Do, fake: FakeMessagesAPI):
    """Not a word of the job, of the lead's prompt, of its other orders or of other reports is in a specialist's requests."""
    plays.says(fake, "a", "b")
    plays.script(
        fake,
        LEAD,
        Reply.tool_use("list_agents", {}, text="I think of QUINCES."),
        send("a", "Look for FIGS"),
        wait(),
        send("b", "Look for DATES"),
        wait(),
        "MEDLARS.",
    )
    team = make_team(
        "play",
        plays.lead(),
        [
            plays.member("a", model="claude-haiku-4-5", tools=("read",)),
            plays.member("b", tools=("glob", "send_to_agent", "wait")),
        ],
    )
    assert do(team, "Find the PLUMS").status == "succeeded"
    (of_a,) = plays.asked_by(fake, prompt("a"))
    (of_b,) = plays.asked_by(fake, prompt("b"))
    words = {"PLUMS", "QUINCES", "FIGS", "DATES", "MEDLARS", LEAD, "play", "boss", prompt("a"), prompt("b")}
    seen = [{word for word in words if word in json.dumps(one.body)} for one in (of_a, of_b)]
    assert seen == [{"FIGS", prompt("a")}, {"DATES", prompt("b")}]
    # Its own model and tools; and none to lead with, whatever its file says: depth is 1.
    assert (of_a.model, of_b.model == of_a.model) == ("claude-haiku-4-5", False)
    assert [[tool["name"] for tool in one.body["tools"]] for one in (of_a, of_b)] == [["read"], ["glob"]]


def test_the_lead_knows_how_to_lead(do: Do, fake: FakeMessagesAPI):
    """Its own prompt comes first, then what a lead must know; its first message names the agents."""
    plays.script(fake, LEAD, "There was nothing to do.")
    job = do(plays.team("a"))
    (asked,) = fake.requests
    system = json.dumps(asked.body["system"])
    assert system.index(LEAD) < system.index("A specialist sees nothing of this conversation")
    assert "- a: Does a." in asked.last_text
    assert [tool["name"] for tool in asked.body["tools"]] == [
        "list_agents", "send_to_agent", "wait", "read_thread", "archive_thread",
    ]  # fmt: skip
    assert (job.status, job.result) == ("succeeded", "There was nothing to do.")


def test_the_26th_thread_is_refused_until_one_is_archived(do: Do, fake: FakeMessagesAPI):
    """Idle threads count, as in the hosted API; the lead reads why and goes on."""
    heard: list[list[tuple[str, bool]]] = []

    def hears(then: Reply | str) -> Callable[[FakeRequest], Reply | str]:
        def step(request: FakeRequest) -> Reply | str:
            heard.append(told(request))
            return then

        return step

    plays.says(fake, "a")
    plays.script(
        fake,
        LEAD,
        calls(*(send("a", f"Part {number}") for number in range(26))),
        hears(calls(*(wait() for _ in range(25)))),
        calls(Reply.tool_use("archive_thread", {"thread_id": "a-7"}), send("a", "Part 25")),
        hears(calls(send("a-7", "More"), wait())),
        hears("Done."),
    )
    job = do(plays.team("a"))
    refusal, is_error = heard[0][25]
    assert is_error
    assert "25 threads exist, and max_threads is 25, idle ones included. Archive one" in refusal
    assert not any(one for _, one in heard[0][:25])
    assert [one for _, one in heard[1]] == [False, False]
    assert "a-26" in heard[1][1][0]
    assert "a-7 is archived and takes no more work" in heard[2][0][0]
    assert (job.status, len(job.threads)) == ("succeeded", 27)  # the lead's own is exempt


def test_the_21st_specialist_is_refused():
    """As hosted; the limit is a setting."""
    members = [plays.member(f"s{number}") for number in range(21)]
    with pytest.raises(PlanError, match=r"21 specialists, and max_specialists is 20.*raise the limit"):
        make_team("play", plays.lead(), members)
    assert len(make_team("play", plays.lead(), members, TeamLimits(max_specialists=21)).specialists) == 21


def test_what_does_not_exist_is_refused_with_what_does(do: Do, fake: FakeMessagesAPI):
    """An unknown agent, thread or tool input is an error the model can read; the job goes on."""
    heard: list[tuple[str, bool]] = []

    def ends(request: FakeRequest) -> str:
        heard.extend(told(request))
        return "I could not."

    asked = [
        send("nobody", "x"),
        send("a-1", "x"),
        Reply.tool_use("read_thread", {"thread_id": "a-9"}),
        Reply.tool_use("archive_thread", {"thread_id": "lead"}),
        Reply.tool_use("send_to_agent", {"to": "a", "task": ""}),
        Reply.tool_use("wait", {"seconds": -1}),
    ]
    plays.script(fake, LEAD, calls(*asked), ends)
    job = do(plays.team("a"))
    assert all(is_error for _, is_error in heard)
    texts = [text for text, _ in heard]
    assert "no agent 'nobody' in the team. There are: a." in texts[0]
    assert "There are: a." in texts[1]
    assert "no thread 'a-9'" in texts[2]
    assert "no thread 'lead'" in texts[3]
    assert [thread.thread_id for thread in job.threads] == [LEAD_THREAD]


def test_a_thread_can_be_read_in_full(do: Do, fake: FakeMessagesAPI):
    """A report is cut in the lead's view; the whole of it stays within reach."""
    seen: list[str] = []

    def ends(request: FakeRequest) -> str:
        seen.extend(results(request))
        return "Read."

    plays.script(fake, prompt("a"), "x" * 13_000 + "the end")
    plays.script(
        fake, LEAD, send("a", "Write much"), wait(), Reply.tool_use("read_thread", {"thread_id": "a-1"}), ends
    )
    assert do(plays.team("a")).status == "succeeded"
    assert "Task:\nWrite much" in seen[0]
    assert "characters more" not in seen[0]
    assert "the end" in seen[0]


def test_a_lead_that_ends_too_early_gets_the_reports_as_its_next_turn(do: Do, fake: FakeMessagesAPI):
    """It cannot finish while threads run: what comes in later is given to it, once."""
    go = threading.Event()

    def late(_: FakeRequest) -> str:
        assert go.wait(30)
        return "the late report"

    def hasty(_: FakeRequest) -> str:
        go.set()
        return "I am done already."

    plays.script(fake, prompt("a"), late)
    plays.script(fake, LEAD, send("a", "Take your time"), hasty, "Now I am.")
    job = do(plays.team("a"))
    assert (job.status, job.result) == ("succeeded", "Now I am.")
    assert at(job, LEAD_THREAD) == ["succeeded", "succeeded"]
    last = plays.asked_by(fake, LEAD)[-1]
    assert last.text.count("the late report") == 1
    assert "You ended your turn, and these reports came in since." in last.last_text
    assert [message.text for message in job.messages if message.to_thread == LEAD_THREAD] == [
        "the late report"
    ]


@pytest.mark.parametrize(
    ("last", "limits", "detail"),
    [
        (Reply.refusal("cyber"), {}, "the model declined (cyber)"),
        (Reply.truncated("I was about to"), {}, "limit of"),
        (wait(), {"max_turns": 2}, "max_turns, 2 replies"),
    ],
    ids=["refused", "truncated", "capped"],
)
def test_a_lead_that_fails_leaves_what_its_threads_did(
    do: Do, fake: FakeMessagesAPI, workspace: Path, last: Reply, limits: dict[str, int], detail: str
):
    """It is not asked again; its threads end, their files and reports are kept, and the job is no success."""
    go = threading.Event()

    def late(_: FakeRequest) -> Reply:
        assert go.wait(30)
        return plays.write("a.md", "kept")

    def fails(_: FakeRequest) -> Reply:
        go.set()
        return last

    plays.script(fake, prompt("a"), late, "wrote it")
    plays.script(fake, LEAD, send("a", "Write a.md", outputs=["a.md"]), fails)
    job = do(plays.team("a", lead_limits=limits))
    assert (job.status, at(job, "a-1")) == ("partial", ["succeeded"])
    assert detail in job.detail
    assert (workspace / "a.md").read_text() == "kept"
    assert job.turns[-1].report == "wrote it"
    assert len(plays.asked_by(fake, LEAD)) == 2


def test_a_lead_that_says_nothing_is_the_reason(do: Do, fake: FakeMessagesAPI):
    """The job failed, and nothing said why."""
    plays.script(fake, LEAD, "")
    job = do(plays.team("a"))
    assert (job.status, job.detail) == ("failed", "the lead ended without a word")


def test_a_lead_may_wait_as_often_as_it_must(do: Do, fake: FakeMessagesAPI):
    """The same call again and again is no loop when it is a wait."""
    go = threading.Event()

    def slow(_: FakeRequest) -> str:
        assert go.wait(30)
        return "there"

    def last_wait(_: FakeRequest) -> Reply:
        go.set()
        return wait()

    plays.script(fake, prompt("a"), slow)
    plays.script(fake, LEAD, send("a", "x"), *(wait(0.01) for _ in range(6)), last_wait, "Done.")
    job = do(plays.team("a"))
    assert (job.status, job.result) == ("succeeded", "Done.")


def test_a_server_that_gives_every_call_the_same_id_loses_no_order(do: Do, fake: FakeMessagesAPI):
    """Some compatible servers count calls from 0 in every reply: two orders are two all the same."""

    def named(reply: Reply) -> Reply:
        return Reply(
            content=tuple({**block, "id": "call_0"} for block in reply.content), stop_reason="tool_use"
        )

    plays.says(fake, "a")
    plays.script(
        fake, LEAD, named(send("a", "One")), named(send("a", "Two")), named(wait()), named(wait()), "Done."
    )
    job = do(plays.team("a"))
    assert sorted(turn.report for turn in job.turns if turn.thread_id != LEAD_THREAD) == [
        "done: One",
        "done: Two",
    ]
    assert len([message for message in job.messages if message.to_thread == LEAD_THREAD]) == 2


def test_a_specialist_that_fails_is_its_threads_ending_and_can_be_sent_again(do: Do, fake: FakeMessagesAPI):
    """Refused, cut off or out of replies: the lead reads how it ended, and a follow-up may mend it."""
    heard: list[str] = []

    def mends(request: FakeRequest) -> Reply:
        heard.extend(results(request))
        return calls(send("a-1", "Try again"), wait())

    plays.script(
        fake, prompt("a"), lambda asked: "now it works" if "Try" in asked.text else Reply.refusal("cyber")
    )
    plays.script(fake, prompt("b"), *(Reply.tool_use("read", {"path": f"{n}.txt"}) for n in range(2)))
    plays.script(
        fake, LEAD, calls(send("a", "x"), send("b", "y")), calls(wait(), wait(), wait()), mends, "Done."
    )
    limited = plays.member("b", limits=AgentLimits(max_turns=2))
    job = do(make_team("play", plays.lead(), [plays.member("a"), limited]))
    reports = "\n".join(heard)
    assert "turn 0: failed]\nWhy: the model declined (cyber)" in reports
    assert "Why: max_turns, 2 replies" in reports
    assert (at(job, "a-1"), at(job, "b-1"), job.status) == (["failed", "succeeded"], ["failed"], "partial")


def test_every_thread_is_in_the_archive_under_the_job(do: Do, fake: FakeMessagesAPI, judged: Home):
    """All of a job's sessions count as one: what every thread of it met was met once."""
    plays.says(fake, "a", "b")
    plays.script(
        fake,
        LEAD,
        calls(send("a", "x"), send("b", "y")),
        calls(wait(), wait()),
        send("a-1", "z"),
        wait(),
        ".",
    )
    job = do(plays.team("a", "b"))
    found = list(judged.archive.sessions([turn.session_id for turn in job.turns]))
    assert len(found) == len(job.turns) == 4
    assert {session.parent_id for session in found} == {job.job_id}
    assert {session.root_id for session in found} == {job.job_id}
    assert {session.project for session in found} == {job.workspace}
