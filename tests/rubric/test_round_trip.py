"""A rubric written as Markdown reads as the same rubric."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentflows.errors import RubricError
from agentflows.rubric import Check, Criterion, Judging, Rubric, parse_rubric, render_rubric, said

PIECES = st.sampled_from(
    [
        "# Title", "## Group #", "Setext\n---", "prose", "more\nprose", "> - quoted", "---", "***",
        "```\ncode\n```", "    indented", "| a | b |\n|---|---|\n| 1 | 2 |", "<!-- a\n\ncomment -->", "<div>x</div>",
        "- plain", "- two\nlazy", "- **id-a**: has an id", "- `id-b` Has one too (optional)", "* (human) star",
        "1. one\n2. two (weight 2.5)", "- [ ] a task", "- with evidence\n  Evidence: a quote\n  of two lines",
        "- nested\n  - a\n    - b\n  - Evidence: *here*\n\n  para\n\n      code", "- fence\n  ```py\n  x = 1\n\n  y\n  ```",
        "- ends\n  ```check command\n  make\n\n    x ```` y\n  ```", "- r\n  ~~~check not regex 'a b.md' timeout=3\n  ^x `\n  ~~~",
        '- s\n  - check: json_schema a.json\n    ```json\n    {"type": "object", "title": "\\ud800"}\n    ```',
        "- e\n  check: exists `x y`", "- heading\n  # inside", "- # heading", "- q\n  > quote\n  lazy", "-\ttab\n\n\tmore",
        "- t\n  | a |\n  |---|\n  | 1 |", "- **a** **b**: x", "- **a**:: y", "- *(optional)* z", "- <table> is\n  absent\n\n  <div>\n  x\n  </div>", "- x  \n  hard\\\n  break",
    ]
)  # fmt: skip
BREAKS = st.sampled_from(["\n", "\n\n", "\r\n", "\n \n"])
FRONT = st.sampled_from(["", "---\nthreshold: 0.7\n---\n", "---\ntitle: '# odd'\n---\n"])


@st.composite
def markdown(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.tuples(PIECES | st.text(max_size=10), BREAKS), max_size=8))
    return draw(FRONT) + "".join(piece + end for piece, end in parts)


@settings(max_examples=250, deadline=None)
@given(markdown())
@example("- q\n  > quote\n  lazy\n0\x0c0\n")
@example("- a (optional)\n\n  - b\n      c\n")
@example("- a\n  check: `x`\n\n# g\n\np\n\n- b\n\n---\n\n- c")
def test_what_was_read_is_written_and_read_the_same(text: str):
    """Drafts and edits are written by code; a criterion that changed on the way would be graded otherwise."""
    try:
        rubric = parse_rubric(text)
    except RubricError:
        return
    written = render_rubric(rubric)
    again = parse_rubric(written)
    assert said(again) == said(rubric)
    assert render_rubric(again) == written
    assert rubric.text == text


WORDS = st.text("abc de.,(?!é", min_size=1, max_size=30).map(lambda text: " ".join(text.split())).filter(bool)


def checks() -> st.SearchStrategy[Check]:
    paths = st.sampled_from(["a.md", "docs/*.md", "my notes.txt", "it's.md"])
    return st.one_of(
        st.builds(
            Check, kind=st.just("command"), command=st.sampled_from(["make", "a\n\n  b", "echo '```'"])
        ),
        st.builds(Check, kind=st.just("exists"), path=paths, negated=st.booleans()),
        st.builds(Check, kind=st.just("regex"), path=paths, pattern=st.sampled_from(["^a$", "`x`", " y"])),
        st.builds(Check, kind=st.just("json_schema"), path=paths, json_schema=st.just({"type": "object"})),
        st.builds(Check, kind=st.just("python"), function=st.just("a.b:c"), timeout_seconds=st.just(1.5)),
    )


@st.composite
def rubrics(draw: st.DrawFn) -> Rubric:
    criteria: list[Criterion] = []
    for number in range(draw(st.integers(1, 5))):
        check = draw(st.none() | checks())
        by: list[Judging] = ["check"] if check else ["judge", "human"]
        criterion = Criterion(
            criterion_id=f"c{number}",
            text=draw(WORDS),
            judging=draw(st.sampled_from(by)),
            required=draw(st.booleans()),
            weight=draw(st.sampled_from([1, 0.1, 1 / 3, 2])),
            evidence=draw(st.just("") | WORDS),
            check=check,
            group=draw(st.sampled_from(["", "Form", "Content"])),
        )
        criteria.append(criterion)
    return Rubric(title=draw(st.sampled_from(["", "T", "a # b"])), criteria=tuple(criteria), threshold=draw(st.sampled_from([1, 0.5, 1 / 3])))  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rubrics())
def test_a_rubric_made_in_python_is_written_and_read_the_same(rubric: Rubric):
    """What code drafts, people read and edit as a file."""
    assert said(parse_rubric(render_rubric(rubric))) == said(rubric)


@pytest.mark.parametrize(
    "rubric",
    [
        Rubric(criteria=(Criterion(criterion_id="a", text="b (optional)"),)),
        Rubric(criteria=(Criterion(criterion_id="a b", text="c"),)),
        Rubric(guidance="- no criterion", criteria=(Criterion(criterion_id="a", text="b"),)),
    ],
)
def test_what_markdown_cannot_say_is_refused(rubric: Rubric):
    """A file that reads otherwise than what was meant is worse than none."""
    with pytest.raises(RubricError, match="read back, it would differ"):
        render_rubric(rubric)
