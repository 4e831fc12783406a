"""Being asked to end: SIGTERM, which schedulers and supervisors send, ends work as Ctrl-C does."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminable() -> Generator[None]:
    """While this lasts, SIGTERM raises `SystemExit` in the main thread, so that nothing is left running behind.

    Python's own answer is to die at once, and with it everything that would have ended the processes of agents. A
    handler that somebody else has set (Prefect's, in a worker) stays.
    """
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
