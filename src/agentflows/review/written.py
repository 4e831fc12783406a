"""What a reviewer reads in Prefect: the pages of a sheet as Markdown, and the small one above a form."""

from collections.abc import Sequence

from agentflows.change import Change
from agentflows.dream import in_brief, in_full, sides_of
from agentflows.escape import code, inline, plain
from agentflows.review.sheet import MEANING, GroupBy, Sheet, ranges, risk_of

_SIDE = 120
"""Characters of an entry that the title of a flag's field shows."""


def overview(sheet: Sheet) -> str:
    """How much waits, of which kind and where: counts, and the words that pick each kind."""
    return "\n\n".join(
        [_headline(sheet), _counted(sheet, "risk", "gravest risk"), _counted(sheet, "file", "file")]
    )


def artifact_pages(sheet: Sheet) -> list[tuple[str, str]]:
    """Title and Markdown of each page, every change in full; the first one begins with the overview."""
    pages = sheet.pages
    found: list[tuple[str, str]] = []
    for place, numbers in enumerate(pages, 1):
        title = f"Page {place} of {len(pages)}: changes {ranges(sorted(numbers))}"
        parts = ["# Changes that wait for review", overview(sheet)] if place == 1 else [f"# {title}"]
        for group, of_group in _grouped(sheet, numbers):
            parts.append(_group_heading(sheet, group))
            parts.extend(part for one in of_group for part in in_full(one, sheet.waiting[one]))
        found.append((title, "\n\n".join(parts) + "\n"))
    return found


def form_page(sheet: Sheet, numbers: Sequence[int], *, before: Sequence[str] = (), problem: str = "") -> str:
    """What stands above a form: what was done so far or is wrong with it, the overview, and one page in brief."""
    pages = sheet.pages
    parts = [f"**Nothing was decided yet.** {inline(problem)}"] if problem else []
    parts.extend(["\n".join(f"- {inline(line)}" for line in before)] if before else [])
    parts.append(overview(sheet))
    if len(pages) > 1:
        place = pages.index(tuple(numbers)) + 1
        parts.append(
            f"**Page {place} of {len(pages)}.** Submit with nothing chosen to turn to the next one. "
            "Every change with all its quotes is in the artifacts of this run."
        )
    else:
        parts.append("Every change with all its quotes is in the artifacts of this run.")
    for group, of_group in _grouped(sheet, numbers):
        parts.append(f"#{_group_heading(sheet, group)}")
        parts.extend(in_brief(one, sheet.waiting[one]) for one in of_group)
    return "\n\n".join(parts)


def counts(sheet: Sheet) -> str:
    """How much waits, in one line of our own words and numbers, for places that know no Markdown."""
    kinds = [f"{name}: {ranges(numbers)}" for name, numbers in _by(sheet, "risk").items()]
    return f"{_wait(sheet)}. {'; '.join(kinds)}"


def question(number: int, flag: Change) -> str:
    """A flag as the title of its field: plain text, for no title is read as Markdown."""
    sides = [f"{name} “{plain(text, _SIDE)}”" for name, text in sides_of(flag).items()]
    return f"Flag {number}: {', '.join(sides) or f'“{plain(flag.before or flag.reason, _SIDE)}”'}"


def _headline(sheet: Sheet) -> str:
    dream = sheet.report.dream
    return (
        f"**{_wait(sheet)}** for the store {code(dream.store_name)}, from the dream {code(dream.dream_id)}."
    )


def _wait(sheet: Sheet) -> str:
    return "1 change waits" if len(sheet.waiting) == 1 else f"{len(sheet.waiting):,} changes wait"


def _by(sheet: Sheet, by: GroupBy) -> dict[str, list[int]]:
    """The waiting numbers by class of risk, gravest first, or by file."""
    found: dict[str, list[int]] = {}
    for number, change in sheet.waiting.items():
        found.setdefault(risk_of(change) if by == "risk" else change.path, []).append(number)
    order = [name for name in MEANING if name in found] if by == "risk" else sorted(found)
    return {name: found[name] for name in order}


def _counted(sheet: Sheet, by: GroupBy, title: str) -> str:
    lines = [
        f"| {code(name) if by == 'risk' else inline(name)} | {len(numbers)} | {ranges(numbers)} |"
        for name, numbers in _by(sheet, by).items()
    ]
    return "\n".join([f"| {title} | changes | numbers |", "| --- | --- | --- |", *lines])


def _grouped(sheet: Sheet, numbers: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The numbers of a page under the names of their groups."""
    on_page = set(numbers)
    found = [(group.name, [one for one in group.numbers if one in on_page]) for group in sheet.groups]
    return [(name, of_group) for name, of_group in found if of_group]


def _group_heading(sheet: Sheet, name: str) -> str:
    numbers = next(group.numbers for group in sheet.groups if group.name == name)
    count = f"{len(numbers)} {'change' if len(numbers) == 1 else 'changes'}"
    words = f"{name}: {MEANING[name]}" if sheet.by == "risk" else name
    return f"## {inline(words)} ({count})"
