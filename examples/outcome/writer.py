"""An agent that is a function: hasty on its first draft, careful once it is told what is missing."""

import re
from pathlib import Path


def write_notes(task: str, feedback: str, workspace: str, memory: dict[str, str]) -> str:
    """Write NOTES.md from commits.txt. `feedback` is "" on the first draft, and the grading after that."""
    folder = Path(workspace)
    commits = [line.split(" ", 1) for line in (folder / "commits.txt").read_text("utf-8").splitlines()]
    if not feedback:
        (folder / "NOTES.md").write_text("".join(f"- {sha} {said}\n" for sha, said in commits), "utf-8")
        return f"Listed {len(commits)} commits."
    version = (folder / "VERSION").read_text("utf-8").strip()
    groups = {"feat": "Added", "fix": "Fixed"}
    lines = [f"# Release {version}", ""]
    for kind, title in groups.items():
        found = [re.sub(r"^\w+: ", "", said) for _, said in commits if said.startswith(f"{kind}:")]
        lines += [f"## {title}", *(f"- {said[0].upper()}{said[1:]}." for said in found), ""]
    (folder / "NOTES.md").write_text("\n".join(lines), "utf-8")
    return f"Grouped {len(commits)} commits under {len(groups)} headings."
