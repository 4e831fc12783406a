"""Lint: what makes verdicts wrong is found, what is fine is left alone, and the rewrite is one that can be used."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentflows.errors import RubricError
from agentflows.rubric import parse_rubric, read_rubric
from agentflows.workbench import Finding, lint

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "rubrics"
GOLDENS = Path(__file__).parent / "goldens"
FILLER = """
- **filler-one**: The page at `docs/setup.md` gives the reason. (check)
  check: exists docs/setup.md
- **filler-two**: A maintainer has approved of the licence. (human)
"""
"""Two criteria that nothing is wrong with, so that the rubric as a whole has no findings."""


def found(criterion: str) -> dict[str, Finding]:
    """Findings on one criterion, by rule."""
    rubric = parse_rubric(f"- {criterion}\n{FILLER}")
    name = rubric.criteria[0].criterion_id
    return {one.rule: one for one in lint(rubric) if one.criterion_id == name}


SPLITS = [
    ("The entry names the version and links the pull request.", ["The entry names the version.", "The entry links the pull request."]),
    ("The summary is clear and concise.", ["The summary is clear.", "The summary is concise."]),
    ("The report names the author, the date and the total.", ["The report names the author.", "The report names the date.", "The report names the total."]),
    ("The answer has a title, an author, and a date.", ["The answer has a title.", "The answer has an author.", "The answer has a date."]),
    ("The title and the date are given.", ["The title is given.", "The date is given."]),
    ("The tests pass and the README is updated.", ["The tests pass.", "The README is updated."]),
    ("The entry must name the version and link the PR.", ["The entry must name the version.", "The entry must link the PR."]),
    ("The entry says who is affected and what they must do.", ["The entry says who is affected.", "The entry says what they must do."]),
    ("The page links to the ticket and the log.", ["The page links to the ticket.", "The page links to the log."]),
    ("The release notes list every change and name its replacement.", ["The release notes list every change.", "The release notes name its replacement."]),
    ("The script ends with an error, and it names the file.", ["The script ends with an error.", "The script names the file."]),
    ("The entry is dated. It also names the version.", ["The entry is dated.", "The entry also names the version."]),
    ("The entry has:\n  - a date\n  - an author", ["The entry has a date.", "The entry has an author."]),
    ("Every figure that has a source is quoted and the source is linked.", ["Every figure that has a source is quoted.", "The source is linked."]),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "parts"), SPLITS)
def test_two_criteria_in_one_are_written_as_two(criterion: str, parts: list[str]):
    """The rewrite must be what the author would have written, in the author's words."""
    problem = found(criterion)["double_barrelled"]
    assert problem.rewrite.split("\n") == [f"- {part}" for part in parts]
    assert not problem.is_template
    for part in parts:
        assert "double_barrelled" not in found(part)


@pytest.mark.parametrize(
    "criterion",
    [
        "Research and development costs are stated.",
        "The range between 5 and 10 is given.",
        "The page shows the state before and after the change.",
        "The file names `black and white` as a mode.",
        'The heading is "Terms and conditions".',
        "The list gives pros and cons.",
        "The command and its output stand in one block.",
        "Each figure has a source (a title and a link).",
        "The entry is dated in the form of year, month and day.",
        "The text uses either commas and stops or neither.",
    ],
)
def test_one_thing_with_an_and_in_it_is_left_alone(criterion: str):
    """A linter that cries at every `and` is switched off."""
    assert "double_barrelled" not in found(criterion)


FOUND = [
    ("vague", "The notes are brief.", "- The notes have at most <120> words."),
    ("vague", "The code is well-documented.", "- The code has a comment or docstring for each <public function>."),
    ("vague", "The tone is professional. (weight 2)", "- The tone has no exclamation mark, no slang and no address in the first person. (weight 2)"),
    ("vague", "The entry explains the change clearly.", "say <what they must learn>"),
    ("vague", "The report covers costs, risks, etc.", "covers exactly: <first>"),
    ("circular", "The output meets the requirements.", "- The output <does the first thing the task asks for>."),
    ("circular", "The answer is correct.", "The answer <does"),
    ("circular", "The page is laid out as requested.", "<does"),
    ("unverifiable", "The author has carefully checked the links.", "has <the trace this leaves"),
    ("unverifiable", "The script works.", "- The script passes its tests. (check)\n  check: `<command>`"),
    ("unverifiable", "Readers understand the change.", "answers this question"),
    ("unverifiable", "The design is future-proof.", "can be seen today"),
    ("verbosity", "The report has at least 500 words.", 'check: `test "$(wc -w < <file>)" -le <300>`'),
    ("verbosity", "`a.md` discusses the risks in detail.", "wc -w < a.md"),
    ("counting", "`notes.md` has exactly 5 bullet points.", "check: `test \"$(grep -cE '^ *[-*+] ' notes.md)\" -eq 5`"),
    ("counting", "The summary in `s.md` has at most 100 words.", 'check: `test "$(wc -w < s.md)" -le 100`'),
    ("counting", "The list has at least three examples.", "grep -c '<what each of the examples looks like>' <file>"),
    ("comparative", "The page loads faster.", "- The page loads faster than <the version"),
    ("comparative", "The wording is more precise.", "than <the version"),
    ("hedged", "The entry should be dated.", "- The entry must be dated."),
    ("hedged", "The entry ideally links its ticket.", "- The entry links its ticket. (optional)"),
    ("negative", "No internal names are used.", "Evidence: each passage of the deliverables"),
    ("no_evidence", "The entry in `C.md` names the version.", "Evidence: the words of C.md in which the entry in `C.md` names the version"),
    ("check_would_do", "The file `docs/a.md` exists.", "check: exists docs/a.md"),
    ("check_would_do", "`old.md` has been removed.", "check: not exists old.md"),
    ("check_would_do", "`make test` passes.", "check: `make test`"),
    ("check_would_do", "`r.json` is valid JSON with the keys `total` and `items`.", '{"type": "object", "required": ["total", "items"]}'),
    ("check_would_do", '`C.md` contains the heading "Unreleased".', "```check regex C.md\n  ^#+ +Unreleased\\s*$"),
    ("check_would_do", "`a.py` does not contain `print(`.", "```check not regex a.py\n  print\\("),
    ("check_would_do", "Each entry of `C.md` has an ISO date.", "\\b\\d{4}-\\d{2}-\\d{2}\\b"),
    ("placeholder", "The page is at most <limit> long.", "Fill in <limit>"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "criterion", "rewrite"), FOUND)
def test_what_goes_wrong_is_found_with_a_rewrite_in_the_authors_words(
    rule: str, criterion: str, rewrite: str
):
    """A complaint without a way out is of no use to somebody who has never written a rubric."""
    problems = found(criterion)
    assert rule in problems, sorted(problems)
    assert rewrite in problems[rule].rewrite
    assert problems[rule].why.endswith(".")
    assert problems[rule].line == 1


@pytest.mark.parametrize(
    "criterion",
    [
        "The entry names the version.\n  Evidence: the heading of the entry",
        "The total equals the sum of the rows.\n  Evidence: the row of the total",
        "The pause is short (at most 2 seconds).\n  Evidence: the line with the pause",
        "The new timeout is longer than 10 seconds.\n  Evidence: the line with the timeout",
        "The well-known port 443 is open.\n  Evidence: the line that opens it",
        "The command clears the cache.\n  Evidence: its line",
        "The page calls the `good` endpoint.\n  Evidence: the call",
        "The limit is 30 seconds.\n  Evidence: the line with the limit",
        "The cause is a condition of the system, not a person's mistake.\n  Evidence: the sentence that states it",
        "The entry matches the requirements R1 to R4.\n  Evidence: the line for each of them",
    ],
)
def test_a_criterion_that_can_be_graded_has_no_findings(criterion: str):
    """False alarms teach people to ignore true ones."""
    assert sorted(found(criterion)) == []


def test_what_stands_in_code_is_no_placeholder():
    """HTML and generics are written with angle brackets."""
    assert "placeholder" not in found("The export contains `<title>` for each page.")


WHOLE = [
    ("too_few", "- `make` passes. (check)\n  check: `make`\n"),
    ("too_many", "".join(f"- Page {n} names river {n}.\n" for n in range(20, 36))),
    ("no_required", "- The page names the port. (optional)\n- b (human, optional)\n- c (human, optional)\n"),
    ("negative_only", "- The page has no slang.\n- The page never shouts.\n- No name is given.\n"),
    ("all_judged", "- The page names its cause.\n- The page gives a reason.\n- A reader is told the next step.\n"),
    ("overlap", "- The entry names the version it belongs to.\n- The version it belongs to is named by the entry.\n"),
    ("contradiction", "- The notes have at most 100 words.\n- The notes have at least 200 words.\n"),
    ("contradiction", "- The notes are brief.\n- The notes are comprehensive.\n"),
    ("contradiction", "- The page names the author of the change.\n- The page does not name the author of the change.\n"),
    ("contradiction", "- a\n  check: exists x.md\n- b\n  check: not exists x.md\n"),
    ("dangling", "- The entry names the version.\n- It links the ticket.\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "markdown"), WHOLE, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(WHOLE)]
)
def test_what_is_wrong_with_the_whole_is_found(rule: str, markdown: str):
    """Some problems stand in no single criterion."""
    assert rule in [one.rule for one in lint(parse_rubric(markdown))]


@pytest.mark.parametrize(
    "markdown",
    [
        "- The page gives the reason for the move.\n- The page gives the command that undoes the move.\n",
        "- The notes have at most 200 words.\n- The notes have at least 3 headings.\n",
        "- The title of the page is short (5 words).\n- The appendix is detailed (one row per case).\n",
        "- Page 3 names the port.\n- Page 4 names the port.\n",
        "- The config sets `a`.\n- The config does not set `b`.\n",
    ],
)
def test_two_criteria_on_different_things_neither_overlap_nor_contradict(markdown: str):
    """Criteria of one rubric share words: that is no fault."""
    assert {"overlap", "contradiction"} & {one.rule for one in lint(parse_rubric(markdown))} == set()


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.md")))
def test_the_findings_on_the_examples_read_as_reviewed(name: str):
    """A changed rule shows in the diff as an author will see it; GOLDENS=write renews them."""
    findings = lint(read_rubric(EXAMPLES / f"{name}.md"))
    said = "".join(
        f"{one.line} {one.severity} {one.rule} {one.words!r}\n{one.why}\n{one.rewrite}\n\n"
        for one in findings
    )
    golden = GOLDENS / f"lint_{name}.txt"
    if os.environ.get("GOLDENS") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_the_finished_examples_are_without_errors_and_warnings():
    """What ships as an example is copied; the first try is there to be linted."""
    for path in EXAMPLES.glob("*.md"):
        severities = {one.severity for one in lint(read_rubric(path))}
        assert ("error" in severities) == (path.stem == "first-try")
        assert path.stem == "first-try" or severities <= {"advice"}


WORDS = st.sampled_from(
    [
        "the",
        "entry",
        "and",
        "names",
        "a",
        "version",
        "is",
        "clear,",
        "not",
        "must",
        "should",
        "it",
        "which",
        "at",
        "least",
        "3",
        "points",
        "better",
        "`x.md`",
        "no",
        "has",
        "links",
        "(optional)",
        "works",
        ".",
        ";",
        "an",
        "all",
        "12",
        "words",
        "''",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=4))
@example(["(optional) ."])
def test_any_rubric_is_linted_and_list_rewrites_parse(texts: list[str]):
    """The linter sees text that nobody has proof-read; and what it says to write must be a rubric."""
    try:
        rubric = parse_rubric("".join(f"- {text}\n" for text in texts))
    except RubricError:
        return
    for one in lint(rubric):
        if one.rewrite.startswith("- ") and one.rule not in {"overlap", "no_required"}:
            assert parse_rubric(one.rewrite).criteria
    assert lint(rubric) == lint(rubric)
