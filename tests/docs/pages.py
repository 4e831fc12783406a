"""The pages of the documentation as steps to be done: every command and every piece of Python in them, in order.

A block of `sh` is commands; of `console`, commands after `$ ` with what they print; of `python`, a program. A line above a
block may say how it is run: `% run: with a model`, `% run: needs a sandbox`, `% run: in the background` (a server: it is interrupted when the page is done),
`% run: as in docs/PAGE.md` (where the same commands stand and are run), or `% run: skip because …`; in the README, which GitHub renders, the same in `<!-- … -->`. A command whose exit code is not 0 says
so behind it: `# exit code 3`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt

from tests.conftest import ROOT

MACHINES = "several machines"
"""The start of a page that `tests/scaling` runs, for it needs more than one machine has."""
LANGUAGES = ("sh", "console", "python")
"""What is run."""
OTHERS = ("text", "markdown", "yaml", "sql", "toml", "json", "ini")
"""What is only shown."""
_MARK = re.compile(r"^(?:% run: (.+)|<!-- run: (.+) -->)$")
_START = re.compile(r"^(?:% start: (.+)|<!-- start: (.+) -->)$", re.MULTILINE)
_CODE = re.compile(r"#.*\bexit code (\d+)")
_HERE = re.compile(r"<<-?\s*'?(\w+)'?")
_PREFECT = re.compile(
    r"\bprefect\b|\bagentflows (?:ingest|dream|outcome|orchestrate|demo)\b|run_dream|load_flow"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, or one program."""

    page: str
    line: int
    language: Literal["sh", "python"]
    text: str
    expected: str | None = None
    """What it prints, as the page has it; None where the page shows nothing."""
    exit_code: int = 0
    mark: str = ""

    @property
    def skipped(self) -> str:
        """Why it is not run; "" when it is."""
        return self.mark.removeprefix("skip because ") if self.mark.startswith("skip because ") else ""

    @property
    def elsewhere(self) -> str:
        """The page on which the same command is run; "" when it is this one."""
        return self.mark.removeprefix("as in ") if self.mark.startswith("as in ") else ""

    @property
    def bare(self) -> str:
        """The command without the remark behind it."""
        return re.sub(r"\s+#.*", "", self.text)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, what there is when it begins, and its steps."""

    name: str
    start: str
    steps: tuple[Step, ...]

    @property
    def to_run(self) -> list[Step]:
        """The steps that are run here."""
        return [step for step in self.steps if not step.skipped and not step.elsewhere]

    @property
    def needs_machines(self) -> bool:
        """Whether it is about several machines."""
        return self.start == MACHINES

    @property
    def needs_prefect(self) -> bool:
        """Whether something in it runs flows, on a server that is there."""
        return not self.needs_machines and any(_PREFECT.search(step.text) for step in self.to_run)

    def told(self, names: Mapping[str, str]) -> "Page":
        """The page with other words, such as a test's addresses for those of the reader."""

        def told(text: str) -> str:
            for name, own in names.items():
                text = text.replace(name, own)
            return text

        return replace(self, steps=tuple(replace(step, text=told(step.text)) for step in self.steps))

    def without(self, mark: str) -> "Page":
        """The page without the steps so marked."""
        return replace(self, steps=tuple(step for step in self.steps if step.mark != mark))


def pages() -> list[Page]:
    """The README and all pages of `docs/`."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [read_page(file) for file in files]


def read_page(file: Path) -> Page:
    """The steps of one file."""
    text = file.read_text("utf-8")
    name = str(file.relative_to(ROOT))
    start = _START.search(text)
    steps = [
        step
        for language, mark, line, body in blocks(text)
        for step in _steps(name, language, mark, line, body)
    ]
    return Page(name, (start[1] or start[2]) if start else "", tuple(steps))


def blocks(text: str) -> Iterator[tuple[str, str, int, str]]:
    """The fenced blocks: language, mark, line of the first line inside, text."""
    lines = text.split("\n")
    for token in MarkdownIt().parse(text):
        if token.type != "fence" or token.map is None:
            continue
        above = next((line for line in reversed(lines[: token.map[0]]) if line.strip()), "")
        mark = _MARK.match(above.strip())
        yield token.info.strip(), (mark[1] or mark[2]) if mark else "", token.map[0] + 2, token.content


def _steps(page: str, language: str, mark: str, line: int, body: str) -> Iterator[Step]:
    if language == "python":
        yield Step(page, line, "python", body, mark=mark)
    elif language == "sh":
        for at, command in commands(body.split("\n")):
            yield Step(page, line + at, "sh", command, None, _exit_code(command), mark)
    elif language == "console":
        yield from _session(page, mark, line, body.split("\n"))


def _session(page: str, mark: str, line: int, lines: Sequence[str]) -> Iterator[Step]:
    starts = [number for number, text in enumerate(lines) if text.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        told = [lines[start].removeprefix("$ "), *lines[start + 1 : end]]
        (at, command), *_ = commands(told)
        printed = "\n".join(told[at + command.count("\n") + 1 :]).rstrip("\n")
        yield Step(page, line + start, "sh", command, printed or None, _exit_code(command), mark)


def commands(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Commands with the number of their first line: lines that end in a backslash, quotes and here-documents go on."""
    at = 0
    while at < len(lines):
        end = at + 1
        here = _HERE.search(lines[at])
        while end < len(lines) and (
            lines[end - 1].endswith("\\")
            or "\n".join(lines[at:end]).count("'") % 2
            or (here and lines[end - 1] != here[1])
        ):
            end += 1
        command = "\n".join(lines[at:end])
        if command.strip() and not command.lstrip().startswith("#"):
            yield at, command
        at = end


def _exit_code(command: str) -> int:
    found = _CODE.search(command.rsplit("\n", maxsplit=1)[-1])
    return int(found[1]) if found else 0
