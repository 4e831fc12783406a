"""The specialists that are functions: each reads the workspace, leaves a file, and reports in a line."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.+?)\s*$", re.MULTILINE)
_LATER = re.compile(r"\b(TODO|FIXME)\b:?\s*(.*)")
_OWN = ("reports", "RELEASE_CHECK.md", "RELEASE_NOTES.md")


def links(task: str, feedback: str, workspace: Path, memory: dict[str, str]) -> str:
    """Find links that lead nowhere; when told to mend, mend those whose target moved to one place only."""
    mended = [line for page in _files(workspace, ".md") for line in _mend(page, workspace)] if "Mend" in task else []
    broken = [f"{_place(page, workspace)}: {link}" for page in _files(workspace, ".md") for link in _broken(page)]
    _report(workspace, "links.md", "Links that lead nowhere", broken, also=mended)
    return f"{len(broken)} links lead nowhere, {len(mended)} were mended."


def todos(task: str, feedback: str, workspace: Path, memory: dict[str, str]) -> str:
    """List what was left for later."""
    found = [
        f"{_place(path, workspace)}:{number}: {match[2] or match[1]}"
        for path in _files(workspace, ".py", ".md")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (match := _LATER.search(line))
    ]
    _report(workspace, "todos.md", "Left for later", found)
    return f"{len(found)} things were left for later."


def tests(task: str, feedback: str, workspace: Path, memory: dict[str, str]) -> str:
    """Collect tests and what none of them calls, from the syntax tree: nothing of the project runs."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in _files(workspace, ".py")}
    of_tests = {path: tree for path, tree in trees.items() if path.name.startswith("test_")}
    names = [f"{path.name}: {node.name}" for path, tree in of_tests.items() for node in _functions(tree) if node.name.startswith("test_")]
    called = {node.id for tree in of_tests.values() for node in ast.walk(tree) if isinstance(node, ast.Name)}
    untested = [
        f"{_place(path, workspace)}:{node.lineno}: {node.name}"
        for path, tree in trees.items()
        if path not in of_tests
        for node in _functions(tree)
        if not node.name.startswith("_") and node.name not in called
    ]
    _report(workspace, "tests.md", "Public functions that no test calls", untested, also=names)
    return f"{len(names)} tests, {len(untested)} public functions that none of them calls."


def notes(task: str, feedback: str, workspace: Path, memory: dict[str, str]) -> str:
    """Copy the newest entry of the changelog; once graded, keep what users can read and leave the rest out."""
    changelog = (workspace / "CHANGELOG.md").read_text("utf-8")
    version, entry = re.search(r"^## (\d+\.\d+\.\d+).*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL).groups()
    changes = [line for line in entry.splitlines() if line.startswith("- ")]
    kept = changes
    if feedback:
        kept = [line for line in changes if re.search(r"\(#\d+\)$", line) and not re.search(r"[a-z]_[a-z]|(?i:\bwip\b)", line)]
    (workspace / "RELEASE_NOTES.md").write_text("\n".join([f"# Harbor {version}", "", *kept, ""]), "utf-8")
    return f"{len(kept)} of {len(changes)} changes are told."


def report(task: str, feedback: str, workspace: Path, memory: dict[str, str]) -> str:
    """Sum up. Links that lead nowhere hold a release; the rest is for people to weigh."""
    counts = {
        path.stem: int(re.search(r"^(\d+) found", path.read_text("utf-8"), re.MULTILINE)[1])
        for path in sorted((workspace / "reports").glob("*.md"))
    }
    verdict = "Not ready: links lead nowhere" if counts["links"] else "Ready"
    rows = [f"| [{name}](reports/{name}.md) | {count} |" for name, count in counts.items()]
    told = (workspace / "RELEASE_NOTES.md").read_text("utf-8").split("\n", 2)[2].strip()
    lines = [f"# {verdict}", "", "| check | found |", "|---|---|", *rows, "", "## What users will be told", "", told, ""]
    (workspace / "RELEASE_CHECK.md").write_text("\n".join(lines), "utf-8")
    return f"{verdict}. " + ", ".join(f"{name}: {count}" for name, count in counts.items())


# -- inside ----------------------------------------------------------------------------------------------


def _files(workspace: Path, *suffixes: str) -> list[Path]:
    return [
        path
        for path in sorted(workspace.rglob("*"))
        if path.suffix in suffixes and path.relative_to(workspace).parts[0] not in _OWN and path.is_file()
    ]


def _place(path: Path, workspace: Path) -> str:
    return path.relative_to(workspace).as_posix()


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _broken(page: Path) -> Iterator[str]:
    for link in _LINK.findall(page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        file = page.parent / target if target else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not file.exists():
            yield link
        elif anchor and file.suffix == ".md" and anchor not in map(_slug, _HEADING.findall(file.read_text("utf-8"))):
            yield link


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _mend(page: Path, workspace: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for link in dict.fromkeys(_broken(page)):
        target, mark, anchor = link.partition("#")
        moved = [path for path in _files(workspace, ".md") if path.name == Path(target).name]
        if target and len(moved) == 1 and not (page.parent / target).exists():
            right = Path(os.path.relpath(moved[0], page.parent)).as_posix() + mark + anchor
            text = text.replace(f"]({link})", f"]({right})")
            yield f"{_place(page, workspace)}: {link} → {right}"
    if text != page.read_text("utf-8"):
        page.write_text(text, "utf-8")


def _report(workspace: Path, name: str, title: str, found: list[str], also: list[str] | None = None) -> None:
    (workspace / "reports").mkdir(exist_ok=True)
    lines = [f"# {title}", "", f"{len(found)} found", "", *(f"- {one}" for one in found)]
    lines += ["", "## Also", "", *(f"- {one}" for one in also)] if also else []
    (workspace / "reports" / name).write_text("\n".join([*lines, ""]), "utf-8")
