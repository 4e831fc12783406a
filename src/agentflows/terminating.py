"""Being asked to end: SIGTERM, which schedulers and supervisors send, and SIGHUP, a closed terminal, end work as Ctrl-C does."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class TerminatedError(SystemExit):
    """This process was asked to end: what it opened is closed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def terminable() -> Generator[None]:
    """While this lasts, SIGTERM and SIGHUP raise `TerminatedError` in the main thread, so that nothing is left running behind.

    Python's own answer is to die at once, and with it everything that would have ended the processes of agents, or
    Prefect's temporary server. It is raised once: asking again does not cut the ending short. A handler that somebody
    else has set (Prefect's, in a worker) stays, and so does that a signal is ignored (`nohup`).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in ENDINGS if signal.getsignal(number) is signal.SIG_DFL]
    asked = False

    def end(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise TerminatedError(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def end_by(number: signal.Signals) -> None:
    """Die of the signal that asked for it, so that whoever waits for this process is told that it was heeded."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
