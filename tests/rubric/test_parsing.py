"""Rubrics from Markdown: what anyone would write is understood, what cannot be graded is refused with a fix."""

import re
from pathlib import Path

import pytest

from agentflows.errors import NotFoundError, RubricError
from agentflows.rubric import MAX_RUBRIC_CHARS, Check, Criterion, parse_rubric, read_rubric
from agentflows.rubric.reading import __doc__ as format_description


def only(markdown: str) -> Criterion:
    (criterion,) = parse_rubric(markdown).criteria
    return criterion


def ids(markdown: str) -> list[str]:
    return [criterion.criterion_id for criterion in parse_rubric(markdown).criteria]


@pytest.mark.parametrize("bullet", ["-", "*", "+", "1.", "- [ ]", "- [x]"])
def test_a_bare_list_is_a_rubric(bullet: str):
    """Nobody should need to learn a format to say what done looks like."""
    rubric = parse_rubric(f"{bullet} The entry names the version.\n{bullet} It is in English.\n")
    assert [criterion.text for criterion in rubric.criteria] == [
        "The entry names the version.",
        "It is in English.",
    ]
    assert {(item.judging, item.required, item.weight) for item in rubric.criteria} == {("judge", True, 1)}
    assert rubric.threshold == 1


def test_the_format_described_in_the_docstring_parses():
    """What the documentation shows must work as it stands there, its remarks on the right taken off."""
    block = (format_description or "").split("\n\n", 1)[1].split("\n\nA bare list")[0]
    markdown = "\n".join(re.sub(r"\s{3,}(?=[a-z]).*$", "", line[4:]) for line in block.split("\n"))
    rubric = parse_rubric(markdown)
    assert rubric.title == "Changelog entry"
    assert rubric.guidance == "Grade CHANGELOG.md only."
    assert [(item.criterion_id, item.judging) for item in rubric.criteria] == [
        ("dated", "judge"),
        ("the-file-is-valid-markdown", "check"),
        ("the-entry-links-its-pull-request", "check"),
        ("a-maintainer-likes-the-tone", "human"),
    ]
    assert {item.group for item in rubric.criteria} == {"Form"}
    assert rubric.criteria[0].evidence == "the heading of the entry"
    assert rubric.criteria[1].check == Check(kind="command", command="markdownlint CHANGELOG.md")
    assert rubric.criteria[2].check == Check(kind="regex", path="CHANGELOG.md", pattern=r"\(#\d+\)")
    assert (rubric.criteria[2].required, rubric.criteria[2].weight) == (False, 2)


@pytest.mark.parametrize(
    ("line", "given", "text"),
    [
        ("**dated**: It has a date.", "dated", "It has a date."),
        ("**dated:** It has a date.", "dated", "It has a date."),
        ("`dated` — it has a date.", "dated", "it has a date."),
        ("**dated** It has a date.", "dated", "It has a date."),
        ("**dated** (optional) it has a date.", "dated", "it has a date."),
        ("`CHANGELOG.md` has a date.", "changelog-md-has-a-date", "`CHANGELOG.md` has a date."),
        ("`CHANGELOG.md`: has a date.", "changelog-md-has-a-date", "`CHANGELOG.md`: has a date."),
        ("`total` stands in the report.", "total-stands-in-the-report", "`total` stands in the report."),
        ("**Every** figure has a source.", "every-figure-has-a-source", "**Every** figure has a source."),
        (
            "Der Eintrag nennt Größe und Maß.",
            "der-eintrag-nennt-größe-und-maß",
            "Der Eintrag nennt Größe und Maß.",
        ),
        ("日本語である。", "日本語である", "日本語である。"),
        ("???", "criterion", "???"),
    ],
)
def test_an_id_is_only_what_the_author_set_apart(line: str, given: str, text: str):
    """A file name or a stressed word at the start of a sentence belongs to the sentence."""
    criterion = only(f"- {line}\n")
    assert (criterion.criterion_id, criterion.text) == (given, text)


def test_ids_made_of_words_never_collide():
    """Two criteria may begin alike, and one may have been given the other's words as its id."""
    assert ids("- One\n- One\n- **one-2**: Two\n- one!") == ["one", "one-3", "one-2", "one-4"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("It is short. (optional)", ("judge", False, 1)),
        ("It is short (optional).", ("judge", False, 1)),
        ("(Human) It is short.", ("human", True, 1)),
        ("It is short. (optional, weight 2.5)", ("judge", False, 2.5)),
        ("It is short. (weight: 3) (human)", ("human", True, 3)),
        ("It is short. (required)", ("judge", True, 1)),
    ],
)
def test_markers_stand_before_or_after_the_words(line: str, expected: tuple[str, bool, float]):
    """They are read wherever people write them and are no part of what is graded."""
    criterion = only(f"- {line}")
    assert (criterion.judging, criterion.required, criterion.weight) == expected
    assert criterion.text.rstrip(".") == "It is short"


def test_brackets_inside_a_sentence_are_left_alone():
    """Only the ends of a criterion can hold markers; else prose would lose words."""
    criterion = only("- Every (optional) field of the form is listed (see the schema).")
    assert criterion.text == "Every (optional) field of the form is listed (see the schema)."
    assert criterion.required


@pytest.mark.parametrize(
    ("markup", "check"),
    [
        ("check: exists docs/*.md", Check(kind="exists", path="docs/*.md")),
        ("**Check:** not exists `my notes.txt`", Check(kind="exists", path="my notes.txt", negated=True)),
        ("- check: `pytest -q`", Check(kind="command", command="pytest -q")),
        ("- check: command pytest -q --timeout 30", Check(kind="command", command="pytest -q --timeout 30")),
        ("check: `pytest` (timeout 300)", Check(kind="command", command="pytest", timeout_seconds=300)),
        ("check: python pack.checks:has_total", Check(kind="python", function="pack.checks:has_total")),
        ("check: regex a.md ^## \\d", Check(kind="regex", path="a.md", pattern="^## \\d")),
        ('check: json_schema r.json {"type": "array"}', Check(kind="json_schema", path="r.json", json_schema={"type": "array"})),
        ("```check\nmake\nmake test\n```", Check(kind="command", command="make\nmake test")),
        ("```check command timeout=5\nsleep 1\n```", Check(kind="command", command="sleep 1", timeout_seconds=5)),
        ("~~~check not regex 'a b.md'\n  TODO\n~~~", Check(kind="regex", path="a b.md", pattern="  TODO", negated=True)),
        ("- check: command\n  ```sh\n  make\n  ```", Check(kind="command", command="make")),
        ('```check json_schema r.json\n{"required": ["total"]}\n```', Check(kind="json_schema", path="r.json", json_schema={"required": ["total"]})),
    ],
)  # fmt: skip
def test_every_kind_of_check_can_be_written_in_a_line_or_in_a_block(markup: str, check: Check):
    """One line for what is short, a block for what has lines or needs no escaping."""
    nested = "\n".join(f"  {line}" for line in markup.split("\n"))
    criterion = only(f"- It holds.\n{nested}\n")
    assert criterion.check == check
    assert (criterion.judging, criterion.text) == ("check", "It holds.")


def test_what_is_nested_otherwise_belongs_to_the_criterion():
    """Details and examples under a criterion are what the grader reads; only evidence and checks are taken out."""
    criterion = only(
        "- The report has\n  all parts:\n  - a date\n  - a total\n  - **Evidence:** the table,\n    every row\n\n  In euros.\n\n  ```json\n  {}\n  ```\n"
    )
    assert (
        criterion.text == "The report has all parts:\n\n- a date\n- a total\n\nIn euros.\n\n```json\n{}\n```"
    )
    assert criterion.evidence == "the table, every row"


def test_headings_group_and_prose_is_guidance():
    """The grader reads the prose with every criterion; what a heading says of it stays with it."""
    rubric = parse_rubric(
        "Title\n===\n\nBe fair.\n\n- a\n\n## Form ##\n\nOnly the top.\n\n<!-- - no criterion -->\n\n> - an example\n\n- b\n\n---\n\n- c\n"
    )
    assert rubric.title == "Title"
    assert rubric.guidance == "Be fair.\n\n**Form**\n\nOnly the top.\n\n> - an example"
    assert [(item.text, item.group) for item in rubric.criteria] == [("a", ""), ("b", "Form"), ("c", "")]


def test_front_matter_gives_title_and_threshold():
    """A rubric with optional criteria needs a place for the share that is enough."""
    rubric = parse_rubric('---\r\n# how much\r\ntitle: "Notes"\r\nthreshold: 80%\r\n---\r\n- a\r\n- b\r\n')
    assert (rubric.title, rubric.threshold, [item.line for item in rubric.criteria]) == ("Notes", 0.8, [6, 7])


WRONG = [
    ("", 0, "at least one criterion, found none"),
    ("# Only\n\nprose\n", 0, "Write each as a list item"),
    ("- a\n-\n", 2, "a list item without words"),
    ("- a\n- **b**: (optional)\n", 2, "found only its markup"),
    ("- **a**: x\n- y\n- **a**: z\n", 3, "used once, found 'a', which line 1"),
    ("- a\n- b (check)\n", 2, "expected a check under (check), found none"),
    ("- a (human)\n  check: exists b\n", 1, "expected no check under (human)"),
    ("- a (human) (judge)\n", 1, "expected one judge, found human and judge"),
    ("- a (weight 0)\n", 1, "expected a weight above 0, found 'weight 0'"),
    ("- a (weight -1)\n", 1, "expected a weight above 0"),
    ("- a (weight two)\n", 1, "expected a weight above 0, found 'weight two'"),
    ("- a (weight nan)\n", 1, "expected a weight above 0"),
    ("- a (weight 1, weight 2)\n", 1, "expected one weight, found 2"),
    ("- a (optional, required)\n", 1, "optional or required, found both"),
    ("- a\n  Evidence:\n", 2, "must quote after `Evidence:`, found nothing"),
    ("- a\n\n  check: make test\n", 3, "expected a kind of check (command, json_schema, regex, exists, python)"),
    ("- a\n  check: exists\n", 2, "expected a path, found nothing"),
    ("- a\n  check: exists /etc/passwd\n", 2, "inside the deliverables, found '/etc/passwd'"),
    ("- a\n  check: exists ../x\n", 2, "inside the deliverables"),
    ("- a\n  check: exists a b\n", 2, "Quote a path that has spaces"),
    ("- a\n  check: regex a.md\n", 2, "expected a pattern, found nothing"),
    ("- a\n  check: regex a.md (x\n", 2, "expected a regular expression, found '(x'"),
    ("- a\n  check: python run me\n", 2, "module:function, found 'run me'"),
    ("- a\n  check: not command `x`\n", 2, "`not` turns only exists and regex round"),
    ("- a\n  check: `x` (timeout 0)\n", 2, "timeout in seconds above 0"),
    ("- a\n  check: `x` (timeout 1h)\n", 2, "timeout in seconds above 0"),
    ("- a\n  ```check json_schema r.json\n  {\n  ```\n", 2, "text that is no JSON"),
    ("- a\n  ```check json_schema r.json\n  [1]\n  ```\n", 2, "a JSON schema (an object)"),
    ('- a\n  ```check json_schema r.json\n  {"type": "thing"}\n  ```\n', 2, "a mistake at type"),
    ("- a\n  ```check command make\n  make\n  ```\n", 2, "either after `check` or in the block below, found both"),
    ("- a\n  check: `x`\n  check: `y`\n", 3, "one check per criterion, found a second"),
    ("- a\n  - check: command\n    more\n    - and more\n", 2, "one line or one fenced block"),
    ("---\nthreshold: 0\n---\n- a\n", 2, "a threshold above 0 and up to 1, found '0'"),
    ("---\nthreshold: 1.5\n---\n- a\n", 2, "a threshold above 0"),
    ("---\nauthor: me\n---\n- a\n", 2, "expected `title: …` or `threshold: …` in the front matter, found 'author: me'"),
    ("- a\n\n```\nnever closed\n", 3, "the end of the fenced block, found none"),
    ("- a\n\n<!-- never closed\n\n- b\n", 3, "expected '-->'"),
    ("- a\n- b\x00\n", 2, "U+0000"),
    ("- a\ud800\n", 1, "U+D800"),
    ("- a" + "x" * MAX_RUBRIC_CHARS, 0, "expected at most 262,144 characters, found 262,147"),
]  # fmt: skip


@pytest.mark.parametrize(("markdown", "line", "message"), WRONG, ids=[case[2][:40] for case in WRONG])
def test_what_cannot_be_graded_is_refused_with_file_line_and_fix(markdown: str, line: int, message: str):
    """An author who gets it wrong must not have to search for the place, nor guess what to do."""
    with pytest.raises(RubricError) as caught:
        parse_rubric(markdown, source="r.md")
    said = str(caught.value)
    assert message in said
    assert said.startswith(f"r.md, line {line}: " if line else "r.md: ")
    assert said.count("\n") == 0
    assert re.search(r"[.`)\"}] [A-Z].*[.`]$", said), "a problem and then a remedy"
    assert caught.value.line == line


def test_a_file_is_read_with_its_name(tmp_path: Path):
    """The source is kept for errors and for the record; a file that is no text is refused."""
    path = tmp_path / "r.md"
    path.write_bytes("\ufeff- Größe\r\n".encode())
    rubric = read_rubric(path)
    assert (rubric.source, rubric.criteria[0].text) == (str(path), "Größe")
    path.write_bytes(b"- a\xff")
    with pytest.raises(RubricError, match="expected UTF-8 text, found the byte 3"):
        read_rubric(path)
    with pytest.raises(NotFoundError, match="found no file"):
        read_rubric(tmp_path / "none.md")


def test_the_rubric_in_the_documentation_parses():
    """It is the first one people copy."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "rubrics.md").read_text("utf-8")
    block = re.search(r"````markdown\n(.*?)````", page, re.DOTALL)
    assert block
    rubric = parse_rubric(block[1])
    assert [item.judging for item in rubric.criteria] == ["judge", "check", "check", "check", "human"]
    assert rubric.guidance == "Grade the newest entry only."
