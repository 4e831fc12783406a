"""Which files under a path may be session logs, and what is there beside them."""

import os
from dataclasses import dataclass
from pathlib import Path

from agentflows.errors import NotFoundError, ReaderError

ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


@dataclass(frozen=True, slots=True)
class Survey:
    """What stands under a path."""

    files: tuple[Path, ...]
    """To be read, sorted; a folder among them could not be looked into, and reading it says why."""
    links: int = 0
    """Folders that are links: they are not entered."""
    others: int = 0
    """Files with other endings."""

    @property
    def passed_over(self) -> str:
        """What is not read, for a person; "" where all is."""
        counts = (
            (self.links, "link to a folder", "links to folders"),
            (self.others, "file with another ending", "files with other endings"),
        )
        told = [f"{number:,} {one if number == 1 else many}" for number, one, many in counts if number]
        return f"not read: {' and '.join(told)}" if told else ""


def survey(path: Path | str) -> Survey:
    """The file itself, or a folder's `.jsonl` and `.json`, gzipped or not.

    Raises:
        NotFoundError: there is nothing at the path, or no such file in the folder.
        ReaderError: the folder itself cannot be looked into.
    """
    root = Path(path).expanduser()
    if not root.exists():
        msg = f"Expected session logs at {root}, found nothing there. Check the path."
        raise NotFoundError(msg)
    if not root.is_dir():
        return Survey((root,))
    files: list[Path] = []
    links = others = 0

    def closed(error: OSError) -> None:
        if error.filename == str(root):
            msg = f"The folder {root} cannot be read: {error.strerror}. Check its permissions."
            raise ReaderError(msg) from error
        files.append(Path(error.filename))

    for folder, below, names in os.walk(root, onerror=closed):
        found = [Path(folder) / name for name in names if name.endswith(ENDINGS)]
        files += found
        others += len(names) - len(found)
        links += sum((Path(folder) / name).is_symlink() for name in below)
    if not files:
        beside = Survey((), links, others).passed_over
        msg = (
            f"Expected session logs ({', '.join(ENDINGS)}) in {root}, found none{f' ({beside})' if beside else ''}. "
            "Name another folder, or a file."
        )
        raise NotFoundError(msg)
    return Survey(tuple(sorted(files)), links, others)
