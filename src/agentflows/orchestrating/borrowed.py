"""What a worker keeps of jobs that others lead: contents it brought here, gone when the job is over."""

import contextlib
import shutil
from pathlib import Path

from agentflows.errors import NotFoundError
from agentflows.home import Home

_MARK = "borrowed"
_OVER = frozenset({"succeeded", "partial", "failed"})


def borrow(home: Home, job_id: str) -> None:
    """Make this home's folder of a job that another one leads, and throw away those of jobs that are over."""
    above = home.settings.home_path / "jobs"
    for mark in above.glob(f"*/{_MARK}"):
        if mark.parent.name != job_id and _is_over(home, mark.parent.name):
            _remove(mark.parent)
    folder = above / job_id
    if home.settings.staging_url and not folder.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _MARK).touch()


def _is_over(home: Home, job_id: str) -> bool:
    with contextlib.suppress(NotFoundError):
        return home.state.job(job_id).status in _OVER
    return False  # of another state database


def _remove(folder: Path) -> None:
    for path in (folder, *(one for one in folder.rglob("*") if one.is_dir() and not one.is_symlink())):
        path.chmod(0o700)  # frozen copies may not be written to
    shutil.rmtree(folder, ignore_errors=True)
