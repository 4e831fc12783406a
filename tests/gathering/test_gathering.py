"""What many threads ask for at once is done once for all of them."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentflows.gathering import Gathering


class Doubling:
    """Doubles numbers, and can be held up while it does."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.may_go_on = threading.Event()
        self.is_under_way = threading.Event()
        self.gathering = Gathering[int, int](self.carry_out)

    def carry_out(self, asked: Sequence[int]) -> list[int]:
        self.rounds.append(list(asked))
        self.is_under_way.set()
        assert self.may_go_on.wait(30)
        if -1 in asked:
            msg = "a negative number"
            raise ValueError(msg)
        return [2 * number for number in asked]


def asked_meanwhile(work: Doubling, *numbers: int) -> list[int | str]:
    """0 is carried out alone, and the others are asked for while it is; what each of these got."""
    work.may_go_on.clear()
    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        first = pool.submit(work.gathering.ask, 0)
        assert work.is_under_way.wait(30)
        others = [pool.submit(work.gathering.ask, number) for number in numbers]
        while work.gathering.waiting < len(numbers):
            pass
        work.may_go_on.set()
        assert first.result() == 0
        return [str(one.exception()) if one.exception() else one.result() for one in others]


def test_one_that_asks_alone_is_answered_at_once():
    """Nobody waits in order to be many."""
    work = Doubling()
    work.may_go_on.set()
    assert [work.gathering.ask(number) for number in (3, 4)] == [6, 8]
    assert work.rounds == [[3], [4]]


def test_all_that_waits_is_done_in_one_round():
    """And each gets its own answer."""
    work = Doubling()
    assert asked_meanwhile(work, 1, 2, 3, 4) == [2, 4, 6, 8]
    assert [sorted(one) for one in work.rounds] == [[0], [1, 2, 3, 4]]


def test_an_error_reaches_all_who_asked_and_nobody_else():
    """What was not done is not called done, and the next round is another."""
    work = Doubling()
    assert asked_meanwhile(work, 1, -1) == ["a negative number"] * 2
    assert work.gathering.ask(5) == 10


def test_one_that_is_interrupted_leaves_its_round_to_the_others():
    """A signal may come at any point: nobody waits for ever for who is gone."""
    rounds: list[list[int]] = []
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(gathering.ask(number))

    others = [threading.Thread(target=ask, args=(number,)) for number in (1, 2)]

    def carry_out(asked: Sequence[int]) -> list[int]:
        rounds.append(list(asked))
        if len(rounds) == 1:
            for other in others:
                other.start()
            while gathering.waiting < len(others):
                pass
            raise KeyboardInterrupt
        return [2 * number for number in asked]

    gathering = Gathering[int, int](carry_out)
    with pytest.raises(KeyboardInterrupt):
        gathering.ask(0)
    for other in others:
        other.join(30)
    assert sorted(answers) == [2, 4]
    assert rounds[0] == [0]
    assert sorted(rounds[1]) == [1, 2]
