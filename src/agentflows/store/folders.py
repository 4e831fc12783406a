"""Memory stores as folders of text files: out, so that an agent can mount them, and in."""

import json
import os
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentflows.errors import ConflictError, LimitError, NotFoundError, StoreError, UsageError
from agentflows.memory import (
    MAX_MEMORY_BYTES,
    Actor,
    MemoryEdit,
    MemoryStore,
    check_content,
    check_path,
    sha256,
)
from agentflows.store.commits import Commits
from agentflows.store.edits import Scan
from agentflows.store.failpoints import failpoint
from agentflows.store.opened import StoreRef
from agentflows.store.stores import Stores

TEXT_SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".txt", ".text"})
MANIFEST = ".agentflows-export.json"
"""What an export wrote, so that the next one knows its own files from other people's."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was not read, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FolderRead:
    """What a folder holds for a store."""

    files: dict[str, str]
    """Memory path → content."""
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class FolderWritten:
    """What an export did to a folder. Paths are those of memories."""

    store: MemoryStore
    version: int
    files: tuple[str, ...]
    """All that the folder now holds of the store."""
    written: tuple[str, ...]
    """Of those, what was not there before or said something else."""
    removed: tuple[str, ...]
    """What an earlier export wrote and the store no longer has."""


class Folders(Stores, Commits):
    """The part of `State` that writes and reads folders."""

    def export_store(
        self, store: StoreRef, folder: Path | str, *, version: int | None = None, overwrite: bool = False
    ) -> FolderWritten:
        """Write a store's memories as files, those that differ and no others.

        Each file is complete or not there at all. Files of an earlier export that the store no longer has are
        removed; any other file stays.

        Raises:
            ConflictError: files differ that no export wrote, or that were edited since, or the folder holds another
                store; nothing was written. `overwrite` replaces them.
            StoreError: the folder cannot be written.
        """
        found = self.get_store(store)
        number = found.version if version is None else version
        files = self.files(found.store_id, number)
        root = Path(folder)
        try:
            written, removed = _export(root, found, files, overwrite=overwrite)
        except OSError as error:
            msg = (
                f"The export to {str(root)!r} stopped: {error}. Each file there is complete, old or new. Check the rights "
                "and the space of the folder, then export again."
            )
            raise StoreError(msg) from error
        return FolderWritten(found, number, tuple(sorted(files)), tuple(written), tuple(removed))

    def import_folder(
        self,
        store: StoreRef,
        folder: Path | str,
        *,
        actor: Actor,
        message: str = "",
        scan: Scan | None = None,
    ) -> MemoryStore:
        """Commit a folder's text files, or one file, to a store; memories of other paths stay.

        What is in the store already as it is in the folder makes no version. `read_folder` tells what would be
        skipped. Files come in as they are. `scan` is asked about what is new in them; None: the state's own, which in a
        home stops at passwords, tokens and keys and lets personal data pass.

        Raises:
            NotFoundError: there is no such folder, file or store.
            UsageError: it holds no text file.
            LimitError: a file or its path breaks a hosted limit; nothing was written.
            StoreError: the scan found a secret; nothing was written.
        """
        read = read_folder(folder)
        if not read.files:
            why = "; ".join(f"{item.path}: {item.reason}" for item in read.skipped[:5]) or "it is empty"
            msg = f"{str(folder)!r} holds no Markdown or text file to import ({why})."
            raise UsageError(msg)
        present = self.files(store)
        edits = [
            MemoryEdit(
                path=path,
                content=content,
                expected_sha256=sha256(present[path]) if path in present else None,
            )
            for path, content in read.files.items()
        ]
        message = message or f"import of {Path(folder).name}"
        scan = scan or self.scan_files
        return self.commit(store, edits, base_version=None, actor=actor, message=message, scan=scan)


def import_files(folder: Path | str) -> dict[str, str]:
    """Memory path → content of a folder's Markdown and text files, or of one file (`CLAUDE.md` → `/CLAUDE.md`).

    Raises:
        NotFoundError: there is no such folder or file.
        LimitError: a file or its path breaks a hosted limit.
        StoreError: a file cannot be read.
    """
    return read_folder(folder).files


def read_folder(folder: Path | str) -> FolderRead:
    """As `import_files`, with what was skipped: hidden, not text, not UTF-8, or a link that leads outside.

    Raises:
        NotFoundError, LimitError, StoreError: as `import_files`.
    """
    root = Path(folder).expanduser()
    if not root.exists():
        msg = f"There is no folder or file {str(root)!r} to import. Check the path."
        raise NotFoundError(msg)
    base = root if root.is_dir() else root.parent
    found = sorted(_walk(root)) if root.is_dir() else [root]
    files: dict[str, str] = {}
    skipped: list[Skipped] = []
    for path in found:
        relative = path.relative_to(base).as_posix()
        reason, content = _read(path, base.resolve(), named=path == root)
        if content is None:
            skipped.append(Skipped(relative, reason))
            continue
        memory_path = check_path("/" + unicodedata.normalize("NFC", relative))
        if memory_path in files:
            msg = f"Two files would become the memory {memory_path!r}: their names differ only in Unicode form. Rename one."
            raise UsageError(msg)
        files[memory_path] = check_content(memory_path, content)
    return FolderRead(dict(sorted(files.items())), tuple(skipped))


def _walk(root: Path) -> Iterator[Path]:
    """Every file and link below, hidden folders as themselves; links to folders are not entered."""
    try:
        for entry in os.scandir(root):
            hidden = entry.name.startswith(".")
            if entry.is_dir(follow_symlinks=False) and not hidden:
                yield from _walk(Path(entry.path))
            else:
                yield Path(entry.path)
    except OSError as error:
        msg = f"The folder {str(root)!r} cannot be read ({error.strerror}). Check the rights on it."
        raise StoreError(msg) from error


def _read(path: Path, base: Path, *, named: bool) -> tuple[str, str | None]:
    """(why it is skipped, None) or ("", content). A file that the caller named is read whatever its name."""
    if path.name.startswith(".") and not named:
        return "hidden", None
    if not named and path.is_symlink() and not path.resolve().is_relative_to(base):
        return "a link that leads out of the folder", None
    if not path.is_file():
        return "no regular file", None
    if path.suffix.lower() not in TEXT_SUFFIXES:
        return f"no Markdown or text file ({', '.join(sorted(TEXT_SUFFIXES))})", None
    try:
        if path.stat().st_size > MAX_MEMORY_BYTES:
            msg = (
                f"The file {str(path)!r} is {path.stat().st_size:,} bytes; one memory holds at most "
                f"{MAX_MEMORY_BYTES:,}. Split it into several files. Nothing was written."
            )
            raise LimitError(msg)
        return "", path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return f"no UTF-8 text (byte {error.start})", None
    except OSError as error:
        msg = f"The file {str(path)!r} cannot be read ({error.strerror}). Check the rights on it."
        raise StoreError(msg) from error


def _export(
    root: Path, store: MemoryStore, files: Mapping[str, str], *, overwrite: bool
) -> tuple[list[str], list[str]]:
    """Returns the paths (written, removed)."""
    name, ours = _manifest(root)
    if name not in {"", store.name} and not overwrite:
        msg = (
            f"{str(root)!r} holds the files of the store {name!r}, not of {store.name!r}. Nothing was written. Name "
            "another folder for each store, or ask to overwrite."
        )
        raise ConflictError(msg)
    wanted = {_place(root, path): path for path in sorted(files)}
    stale = {place: path for path in sorted(ours) if (place := _place(root, path)) not in wanted}
    foreign = [
        str(place)
        for place, path in {**wanted, **stale}.items()
        if _foreign(place, files.get(path), ours.get(path, []))
    ]
    if foreign and not overwrite:
        shown = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
        msg = (
            f"{len(foreign)} files in {str(root)!r} differ and were not written by an export, or were edited since: "
            f"{shown}. Nothing was written. Import them first, export to another folder, or ask to overwrite."
        )
        raise ConflictError(msg)
    written = [path for place, path in wanted.items() if not _says(place, files[path])]
    removed = [path for place, path in stale.items() if os.path.lexists(place)]
    root.mkdir(parents=True, exist_ok=True)
    now = {path: [sha256(content)] for path, content in files.items()}
    both = {path: [*ours.get(path, []), *now.get(path, [])] for path in {*ours, *now}}
    if not written and not removed and (name, ours) == (store.name, now):
        return [], []
    _write_manifest(root, store, both)
    for path in written:
        failpoint("export.file")
        place = _place(root, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, files[path])
    for place in stale:
        place.unlink(missing_ok=True)
    _write_manifest(root, store, now)
    return written, removed


def _write_manifest(root: Path, store: MemoryStore, files: Mapping[str, list[str]]) -> None:
    _write(root / MANIFEST, json.dumps({"store": store.name, "files": files}, indent=1, sort_keys=True))


def _manifest(root: Path) -> tuple[str, dict[str, list[str]]]:
    """The store's name, "" where none is named; memory path → the sha256 of each text an export wrote there."""
    path = root / MANIFEST
    if not path.exists():
        return "", {}
    try:
        found = json.loads(path.read_text("utf-8"))
        files = {str(name): list(map(str, shas)) for name, shas in found["files"].items()}
        return str(found.get("store", "")), files
    except (ValueError, KeyError, AttributeError, TypeError):
        return (
            "",
            {},
        )  # someone else's file: then no file here is known as ours, and none is overwritten unasked


def _place(root: Path, path: str) -> Path:
    place = root.joinpath(*path.split("/")[1:])
    if not place.parent.resolve().is_relative_to(root.resolve()):
        msg = (
            f"{str(place)!r} leads out of {str(root)!r} through a link. Remove the link, or export elsewhere."
        )
        raise ConflictError(msg)
    return place


def _foreign(place: Path, content: str | None, ours: list[str]) -> bool:
    """Whether writing or removing it would lose something that no export wrote."""
    if not os.path.lexists(place) or (content is not None and _says(place, content)):
        return False
    if place.is_symlink() or not place.is_file():
        return True
    return _sha256(place) not in ours


def _says(place: Path, content: str) -> bool:
    return place.is_file() and not place.is_symlink() and place.read_bytes() == content.encode("utf-8")


def _sha256(place: Path) -> str:
    return sha256(place.read_bytes().decode("utf-8", "surrogateescape")) if _is_text(place) else ""


def _is_text(place: Path) -> bool:
    try:
        place.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _write(place: Path, content: str) -> None:
    """Write under another name, force it to the disk, and rename: readers see the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=".agentflows-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8"))
            file.flush()
            failpoint("export.written")
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
