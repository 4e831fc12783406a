"""Outcome: a task and a rubric → draft, grade, revise, until the rubric is satisfied.

Each attempt and each grading is a task here; what they do stands in `agentflows.pursuing`. A criterion that only a
person can judge suspends the run of a deployment with a form; the same question can be answered on the command line.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, cast

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRunInput
from prefect.events import emit_event
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput, delete_flow_run_input, filter_flow_run_input
from prefect.runtime import deployment
from prefect.serializers import JSONSerializer
from pydantic import ConfigDict, Field, create_model

from agentflows.change import Budget
from agentflows.deployments import version_of
from agentflows.errors import UsageError
from agentflows.escape import code, inline, plain
from agentflows.evaluation import Attempt, Evaluation, Outcome
from agentflows.form import OPTIONAL, titled
from agentflows.home import Home, open_home
from agentflows.notices import budget_reached
from agentflows.outcome import Waiting, headline, iteration_name, markdown, summary, table
from agentflows.project import load_helper
from agentflows.pursuing import (
    Asked,
    Grading,
    Limits,
    OutcomeRun,
    asked,
    begin,
    decide,
    go_on,
    make_request,
    resumed,
)
from agentflows.rubric import Criterion
from agentflows.scrubbing import scrubbed

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""

# A step keeps nothing in Prefect: what must not be paid twice is in our own database (DECISIONS.md).
_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
_WAITS_FOR_DAYS = 30
_REVISIONS = 3
"""Of a new outcome whose form leaves them empty."""
_NEEDED = "A criterion that is not met needs a comment: the writer is told it."


class Work:
    """What the tasks share. A plain object, so that Prefect records none of it."""

    def __init__(self, run: OutcomeRun) -> None:
        self.run = run
        self.outcome = run.outcome
        self.attempt: Attempt | None = None
        self.feedback = ""


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(name="attempt", task_run_name="{name}", **_STEP)
@scrubbed
def make_attempt(work: Work, name: str, iteration: int) -> Attempt:
    """The writer drafts or revises; what it left is frozen."""
    attempt = work.run.work(work.outcome, iteration, work.feedback)
    detail = f" ({attempt.detail})" if attempt.detail else ""
    say(f"{name}: the writer ended as {attempt.end}{detail}; {len(attempt.deliverables)} deliverables frozen")
    return attempt


@task(name="grading", task_run_name="{name}", **_STEP)
@scrubbed
def make_grading(work: Work, name: str) -> Evaluation | Waiting:
    """Checks, judge and people say what is met."""
    assert work.attempt is not None  # noqa: S101 - the loop grades what was attempted
    found = work.run.grade(work.outcome, work.attempt)
    if isinstance(found, Waiting):
        say(f"{name}: {len(found.criteria)} criteria wait for a person")
    elif found.error:
        say(f"{name}: grader_error: {found.error}")
    else:
        met = sum(item.met == "met" for item in found.criteria)
        say(f"{name}: {found.result}, {met} of {len(found.criteria)} criteria met")
    return found


@task(name="report", task_run_name="report", **_STEP)
@scrubbed
def publish(work: Work) -> None:
    """Lay the criteria by iterations, the cost and the deliverables on the run's page."""
    outcome, rubric = work.run.outcome, work.run.request.rubric
    key = outcome.outcome_id.replace("_", "-")
    _pages.lay_markdown(
        markdown(outcome, rubric, folder=work.run.folder), key=key, description=headline(outcome)
    )
    _pages.lay_table(
        table(outcome, rubric), key=f"{key}-criteria", description="Criteria by iteration, with the evidence"
    )


class Shown:
    """The run's steps, attempts and gradings as tasks."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def work(self, outcome: Outcome, iteration: int, feedback: str) -> Attempt:
        """As the run does it."""
        self._work.outcome, self._work.feedback = outcome, feedback
        return make_attempt(self._work, iteration_name(iteration), iteration)

    def grade(self, outcome: Outcome, attempt: Attempt) -> Evaluation | Waiting:
        """As the run does it."""
        self._work.outcome, self._work.attempt = outcome, attempt
        return make_grading(self._work, f"grade {iteration_name(attempt.iteration)}")

    def restore(self, outcome: Outcome, iteration: int) -> None:
        """As the run does it."""
        if iteration != len(outcome.attempts) - 1:
            say(f"the {iteration_name(iteration)} is the best version; it is put back into the workspace")
        self._work.run.restore(outcome, iteration)

    def keep(self, outcome: Outcome) -> None:
        """As the run does it."""
        self._work.run.keep(outcome)

    def stop(self) -> str:
        """As the run does it."""
        return self._work.run.stop()


# -- a person's verdict ------------------------------------------------------------------------------


class Word(Enum):
    """What a person says of one criterion."""

    met = "met"
    unmet = "unmet"


class Form(RunInput):
    """An answer to more than is asked now is no mistake: the rest was decided elsewhere while the form was open."""

    model_config = ConfigDict(extra="ignore")


def form_of(question: Asked, given: Mapping[str, Any] | None = None) -> type[Form]:
    """A form with a choice for each criterion, what is to be changed, and who says so; asked again with what was `given`."""
    filled = given or {}
    fields: dict[str, Any] = {
        _field(question, criterion): (
            Word,
            Field(
                default=filled.get(_field(question, criterion), ...),
                title=plain(criterion.text, 120),
                description=f"Criterion {criterion.criterion_id}",
            ),
        )
        for criterion in question.criteria
    }
    title = f"Comment. {_NEEDED}" if given else "Comment"
    fields["comment"] = (str, Field(default="", title=title, description="With unmet: what is to be changed"))
    name = Field(
        default=filled.get("reviewer", ...), min_length=1, title="Your name", description="Kept on record"
    )
    fields["reviewer"] = (str, name)
    return create_model("Verdict", __base__=Form, **fields)


def _field(question: Asked, criterion: Criterion) -> str:
    """By its place among all that people decide: a form may come back when others were decided elsewhere."""
    return f"criterion_{question.human.index(criterion.criterion_id) + 1}"


def describe(question: Asked, *, is_again: bool = False) -> str:
    """What the form shows above its fields."""
    files = "\n".join(
        f"- {code(item.path)} ({item.size_bytes:,} bytes)" for item in question.deliverables[:50]
    )
    wanted = "\n".join(f"- {inline(one.text)}" for one in question.criteria)
    problem = f"**Nothing was decided yet.** {_NEEDED}\n\n" if is_again else ""
    return (
        f"## {inline(question.outcome.description, 400)}\n\n{problem}All other criteria are met. Please look at the "
        f"deliverables in {code(str(question.folder))} and say of each criterion whether it is met.\n\n{files}\n\n"
        f"### Criteria\n{wanted}"
    )


def is_blank(question: Asked, said: Form) -> bool:
    """Whether it says `unmet` and not why: the writer would be told nothing, and paid to guess."""
    answers: Mapping[str, Any] = said.model_dump()
    words = [answers[_field(question, criterion)] for criterion in question.criteria]
    return Word.unmet in words and not answers["comment"].strip()


def record(home: Home, question: Asked, said: Form) -> None:
    """Keep the words of the form on what still waits, each with who said it."""
    answers: Mapping[str, Any] = said.model_dump()
    for criterion in question.criteria:
        word: Word = answers[_field(question, criterion)]
        decide(
            home,
            question.outcome.outcome_id,
            "met" if word is Word.met else "unmet",
            criteria=[criterion.criterion_id],
            reason=answers["comment"].strip() or "no comment was given",
            reviewer=answers["reviewer"],
        )


def _ask(home: Home, work: Work) -> bool:
    """Suspend for a person's verdict where this run can be resumed; False where it cannot.

    The run goes on from the top, and each form that was answered gives its answer again.
    """
    if not deployment.get_id():
        return False
    question = asked(home, work.run.outcome.outcome_id)
    if not question.criteria:
        return True  # decided elsewhere, a moment ago
    key = f"{question.outcome.outcome_id.replace('_', '-')}-{question.outcome.attempts[-1].iteration}"
    said = _said(form_of(question).with_initial_data(description=describe(question)), key)
    again = 1
    while is_blank(question, said):
        again += 1
        form = form_of(question, said.model_dump())
        said = _said(form.with_initial_data(description=describe(question, is_again=True)), f"{key}-{again}")
    record(home, question, said)
    for item in cast("Sequence[FlowRunInput]", filter_flow_run_input(f"suspended-{key}-", limit=200)):
        delete_flow_run_input(key=item.key)  # the record of it is the verdicts
    return True


def _said(form: type[Form], key: str) -> Form:
    return suspend_flow_run(wait_for_input=form, timeout=_WAITS_FOR_DAYS * 86_400, key=key)


@flow(
    name="outcome",
    flow_run_name="outcome · {description:.60}{outcome_id}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def outcome(
    description: Annotated[str, titled("Task", max_length=100_000)] = "",
    rubric: Annotated[str, titled("Rubric file")] = "",
    agent: Annotated[str, titled("Agent file")] = "",
    workspace: Annotated[str, titled("Workspace folder")] = "",
    max_iterations: Annotated[int | None, titled("Revisions", ge=0, le=20), OPTIONAL] = None,
    budget: Annotated[Budget, titled("Budget")] = Budget(),
    deliverables: Annotated[list[str], titled("Deliverables")] = [],
    memory: Annotated[str, titled("Memory store")] = "",
    grading: Annotated[Grading, titled("Grading")] = Grading(),
    writer_budget: Annotated[Budget, titled("Budget of the writer")] = Budget(),
    grader_budget: Annotated[Budget, titled("Budget of the grader")] = Budget(),
    outcome_id: Annotated[str, titled("Go on with outcome", pattern=r"^(outc_.+)?$")] = "",
    key: Annotated[str, titled("Word of your own")] = "",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Have an agent work on a task until its rubric is satisfied, or there is a reason to stop.

    Args:
        description: Needed: what is to be done, in words.
        rubric: Needed: the Markdown file that says what done looks like; as the worker's machine names it.
        agent: Needed: the Markdown file, with front matter, of the agent that works.
        workspace: Needed: the folder the agent works in. Every version of it is kept.
        max_iterations: How often the agent may revise after its draft, 0 to 20; empty is 3, or what the outcome has that
            goes on. Everything that is returned was graded.
        budget: Ceilings for writer and grader together.
        deliverables: Which files to grade, such as docs/*.md, or @answer for the agent's last words, which then
            stand in answer.md; empty means every file created or changed.
        memory: The store shown to the agent, read-only; empty takes the one its file names.
        grading: How the grader works: its model, how many graders, one call or many.
        writer_budget: Ceilings for the writer, within the budget.
        grader_budget: Ceilings for the grader, within the budget.
        outcome_id: The id (outc_…) of an outcome to go on with, as it was begun; of the other fields only revisions and
            budgets count then, where they are given.
        key: What was done with the same fields is not done twice; with another word here it is done anew.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        The outcome's id, how it stands, counts and cost. The outcome itself is in the state database and on this page.
    """
    limits = Limits(outcome=budget, writer=writer_budget, grader=grader_budget)
    with open_home(home or None) as doors:
        if outcome_id:
            begun = resumed(doors, outcome_id, max_iterations=max_iterations, limits=limits)
        else:
            _check_given(description=description, rubric=rubric, agent=agent, workspace=workspace)
            request = make_request(
                description,
                rubric=rubric,
                agent=agent,
                workspace=workspace,
                deliverables=deliverables,
                max_iterations=_REVISIONS if max_iterations is None else max_iterations,
                limits=limits,
                grading=grading,
                memory=memory,
                key=key,
            )
            begun = begin(doors, request)
        with begun as run:
            work, was_done = Work(run), run.is_done
            say(
                f"outcome {run.outcome.outcome_id}: agent {run.request.agent.name}, {len(run.request.rubric.criteria)} criteria"
            )
            if was_done:
                say(
                    "The same was pursued before, and the workspace is as it was left: nothing is done twice."
                )
            found = go_on(run, Shown(work))
            publish(work)
            while found.result == "waiting" and _ask(doors, work):
                found = go_on(run, Shown(work))
                publish(work)
            say(f"outcome {found.outcome_id}: {headline(found)}")
            if found.is_at_budget and not was_done:
                emit_event(
                    **budget_reached(
                        "outcome", found.outcome_id, tokens=found.usage.total, dollars=found.dollars
                    )
                )
            return summary(found)


def _check_given(**values: str) -> None:
    missing = [name for name, value in values.items() if not value.strip()]
    if missing:
        msg = f"The outcome needs {', '.join(missing)} (of a form's first four fields). Fill them in, or give the outcome_id of one to go on with."
        raise UsageError(msg)


if __name__ == "__main__":
    outcome()
