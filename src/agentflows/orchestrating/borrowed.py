"""What a worker keeps of jobs that others lead: contents it brought here, gone when the job is over."""

import contextlib
import secrets
from pathlib import Path

from agentflows.errors import NotFoundError
from agentflows.home import Home
from agentflows.sandbox.rights import remove

_MARK = "borrowed"
_GONE = ".gone-"
_OVER = frozenset({"succeeded", "partial", "failed"})


def borrow(home: Home, job_id: str) -> None:
    """Make this home's folder of a job that another one leads, and throw away those of jobs that are over."""
    above = home.settings.home_path / "jobs"
    for mark in above.glob(f"*/{_MARK}"):
        if mark.parent.name != job_id and _is_over(home, mark.parent.name):
            _remove(mark.parent)
    for left in above.glob(f"{_GONE}*"):
        remove(left)  # of one that was killed at it
    folder = above / job_id
    if home.settings.staging_url and not folder.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _MARK).touch()


def _is_over(home: Home, job_id: str) -> bool:
    with contextlib.suppress(NotFoundError):
        return home.state.job(job_id).status in _OVER
    return False  # of another state database


def _remove(folder: Path) -> None:
    """For one of those that begin at once: whoever can give it another name. Nobody is stopped by what cannot go."""
    gone = folder.with_name(f"{_GONE}{secrets.token_hex(6)}")
    try:
        folder.rename(gone)
    except OSError:
        return
    remove(gone)
