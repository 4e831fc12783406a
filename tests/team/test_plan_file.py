"""Plan files: read with the line in every error, and written back the same."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.errors import NotFoundError, PlanError
from agentflows.team import Plan, SubTask, check_plan, fault_of, parse_plan, read_plan, render_plan

PLAN = """\
title: Review
task: Review this repository
subtasks:
  - id: security
    agent: security
    task: |
      Read src/ and write reports/security.md.
      Name files and lines.
    outputs: [reports/security.md]
  - id: summary
    agent: writer
    needs: security
    task: Summarise reports/*.md.
    outputs: [REVIEW.md]
    rubric: rubrics/review.md
    max_iterations: 2
    limits: {max_turns: 5}
"""


def test_a_plan_is_read_with_its_lines() -> None:
    """The shape shown in the docstring, and the short form of a list of one."""
    plan = parse_plan(PLAN, source="plan.yaml")
    first, second = plan.subtasks
    assert (plan.title, plan.task, plan.source) == ("Review", "Review this repository", "plan.yaml")
    assert first.task == "Read src/ and write reports/security.md.\nName files and lines.\n"
    assert (second.needs, second.max_iterations, second.line) == (("security",), 2, 10)
    assert second.limits is not None
    assert second.limits.max_turns == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping with `subtasks`"),
        ("- a\n", "expected a mapping with `subtasks`"),
        ("subtasks: []\n", "expected a mapping with `subtasks`"),
        ("subtasks:\n  - id: a\n    agent: b\n   task: c\n", "p.yaml, line 4: this is no YAML"),
        ("subtasks:\n  - just words\n", "p.yaml, line 2: expected a sub-task with id, agent and task"),
        ("subtasks:\n  - id: a\n    agent: b\n", "line 2: the sub-task 'a' has no task"),
        ("subtasks:\n  - id: a\n    agent: b\n    task: c\n    promised: [x]\n", "`promised` is not known here. There are: id, agent"),
        ("tasks: []\nsubtasks:\n  - {id: a, agent: b, task: c}\n", "`tasks` is not known here"),
        ("subtasks:\n  - {id: 1, agent: b, task: c}\n", "line 2: `id`: expected text, found '1'. Quote it."),
        ("subtasks:\n  - {id: a, agent: b, task: c, max_iterations: 21}\n", "`max_iterations` of a: .*less than or equal to 20, found 21"),
        ("subtasks:\n  - {id: a, agent: b, task: c, outputs: [../x.md]}\n", "line 2: a promises what cannot be left.*without `..`"),
        ("subtasks:\n  - {id: a, agent: b, task: c, outputs: [/x.md]}\n", "line 2: a promises .* from there"),
        ("subtasks:\n  - {id: a, agent: b, task: c, outputs: [reports/]}\n", "line 2: a promises .* as in 'reports/\\*'"),
        (
            "subtasks:\n  - {id: a, agent: b, task: c}\n  - {id: a, agent: b, task: c}\n",
            "line 3: the id 'a' was given on line 2 already",
        ),
        ("subtasks:\n  - {id: a, agent: b, task: c, needs: [z]}\n", "line 2: a needs 'z', which is no sub-task. There are: a."),
        (
            "subtasks:\n  - {id: o, agent: b, task: c}\n  - {id: a, agent: b, task: c, needs: [e]}\n  - {id: e, agent: b, task: c, needs: [a]}\n",
            "line 3: a, e wait for one another",
        ),
        ("subtasks:\n  - {id: a, agent: b, task: c, needs: [a]}\n", "a wait for one another"),
        (
            "subtasks:\n  - {id: a, agent: b, task: c}\n  - {id: e, agent: d, task: c, follows: a}\n",
            r"line 3: e \(d\) follows a, whose thread belongs to b",
        ),
        (
            "subtasks:\n  - {id: a, agent: b, task: c}\n  - {id: e, agent: b, task: c, follows: a}\n  - {id: f, agent: b, task: c, follows: a}\n",
            "line 4: f and e both follow a",
        ),
        ("subtasks: &x\n  - {id: a, agent: b, task: !!python/object:os.system c}\n", "`task`|no YAML|no task"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_said_with_its_line(text: str, message: str) -> None:
    """One line: what was expected, what was found, what to do."""
    with pytest.raises(PlanError, match=message) as raised:
        parse_plan(text, source="p.yaml")
    assert "\n" not in str(raised.value)


def test_a_missing_and_a_binary_file_are_said(tmp_path: Path) -> None:
    """Before anything is begun."""
    with pytest.raises(NotFoundError, match="There is no plan"):
        read_plan(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "bad.yaml")


def test_a_plan_of_nothing_is_refused_from_python_too() -> None:
    """It was a job that failed, without a reason."""
    with pytest.raises(PlanError, match="at least one sub-task"):
        check_plan(())


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1, max_size=40
)
said = words.filter(str.strip)
outputs = said.filter(lambda text: not fault_of([text]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(said, said, said, st.lists(outputs, max_size=2)),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[0],
    ),
    words,
)
def test_a_plan_written_and_read_is_the_same(rows: list[tuple[str, str, str, list[str]]], task: str) -> None:
    """So that a live run can be saved, edited and run again."""
    tasks = tuple(SubTask(subtask_id=a, agent=b, task=c, outputs=tuple(d)) for a, b, c, d in rows)
    plan = Plan(task=task, subtasks=tasks)
    again = parse_plan(render_plan(plan))
    assert [one.model_copy(update={"line": 0}) for one in again.subtasks] == list(tasks)
    assert again.task == task
