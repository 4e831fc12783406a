"""Gathering: what many threads ask for at about the same time is done once for all of them."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Asked(Generic[Item, Result]):
    """One thread's request, and what came of it."""

    __slots__ = ("answer", "item", "wake")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.answer: Callable[[], Result] | None = None
        self.wake = threading.Lock()
        self.wake.acquire()


class Gathering(Generic[Item, Result]):
    """Hands to one of the waiting threads all that waits, and to each what came of its own.

    Whatever was asked before `carry_out` began is in its hands; what is asked meanwhile is the next round's. A thread
    that asks alone does its own at once, so nobody waits in order to be many.

    Args:
        carry_out: gets what was asked, in that order, and returns as many results. What it raises, all of them
            raise. A thread that is interrupted while it carries out leaves it to the next one, from the beginning.
    """

    def __init__(self, carry_out: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._carry_out = carry_out
        self._guard = threading.Lock()
        self._waiting: list[_Asked[Item, Result]] = []
        self._round: list[_Asked[Item, Result]] = []
        self._leader: _Asked[Item, Result] | None = None

    def ask(self, item: Item) -> Result:
        """Have it done, with whatever else is asked for now; returns when it is.

        Raises:
            Exception: what `carry_out` raised.
        """
        asked = _Asked[Item, Result](item)
        try:
            self._enter(asked)
            while asked.answer is None:
                if self._leader is asked:
                    self._lead()
                else:
                    asked.wake.acquire()
        finally:  # also when a signal interrupts this thread, at whatever point
            self._leave(asked)
        return asked.answer()

    @property
    def waiting(self) -> int:
        """How many wait for the next round."""
        with self._guard:
            return len(self._waiting)

    def _enter(self, asked: _Asked[Item, Result]) -> None:
        with self._guard:
            self._waiting.append(asked)
            if self._leader is None:
                self._leader = asked

    def _lead(self) -> None:
        with self._guard:
            self._round, self._waiting = self._waiting, []
        try:
            results = self._carry_out([asked.item for asked in self._round])
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            answers = [_raising(error)] * len(self._round)
        else:
            answers = [_giving(result) for result in results]
        for asked, answer in zip(self._round, answers, strict=True):
            asked.answer = answer

    def _leave(self, asked: _Asked[Item, Result]) -> None:
        """Wake those whose answer is there, and, when this thread led, whoever leads next."""
        with self._guard:
            if asked in self._waiting:
                self._waiting.remove(asked)
            if self._leader is not asked:
                return
            others = [other for other in self._round if other is not asked]
            self._round = []
            self._waiting[:0] = [other for other in others if other.answer is None]
            self._leader = self._waiting[0] if self._waiting else None
            woken = [other for other in others if other.answer is not None]
            if self._leader is not None:
                woken.append(self._leader)
        for other in woken:
            other.wake.release()


def _giving(result: Result) -> Callable[[], Result]:
    return lambda: result


def _raising(error: Exception) -> Callable[[], NoReturn]:
    def answer() -> NoReturn:
        raise error

    return answer
