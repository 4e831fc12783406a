"""A check that is a function: it gets the folder that was left behind, and says yes or no, and why."""

import re
from pathlib import Path


def every_change_is_told(folder: Path) -> tuple[bool, str]:
    """Each `feat` and `fix` commit has its line in the notes, whatever its capitals."""
    notes = (folder / "NOTES.md").read_text("utf-8").casefold()
    commits = (folder / "commits.txt").read_text("utf-8").splitlines()
    said = [match[1] for line in commits if (match := re.search(r"(?:feat|fix): (.*)", line))]
    missing = [one for one in said if one.casefold() not in notes]
    return not missing, f"missing: {', '.join(missing)}" if missing else f"all {len(said)} changes are told"
