"""The fake endpoint in a process of its own, which says what it was sent: shares no interpreter with the measured one."""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from oracle import answer

from agentflows.testing import FakeMessagesAPI
from agentflows.testing.counting import input_tokens

KEY = "fake-key"


@dataclass(frozen=True, slots=True)
class Received:
    """What the endpoint has counted since it started."""

    calls: int = 0
    input_tokens: int = 0
    """Four characters each; cached or not."""
    cpu_seconds: float = 0.0
    """The endpoint's own work, checking and answering."""

    def __sub__(self, earlier: "Received") -> "Received":
        """What came between two looks."""
        return Received(
            self.calls - earlier.calls,
            self.input_tokens - earlier.input_tokens,
            self.cpu_seconds - earlier.cpu_seconds,
        )


class Endpoint:
    """Use it as a context manager; `url` is there from then on."""

    def __init__(self, latency: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, latency), daemon=True)
        self.url = ""

    def received(self) -> Received:
        """Its counts so far."""
        self._pipe.send("counts")
        return self._pipe.recv()

    def __enter__(self) -> Self:
        self._process.start()
        self.url = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.send("stop")
        self._process.join()


def _serve(pipe: Connection, latency: float) -> None:
    with FakeMessagesAPI(api_key=KEY, latency_seconds=latency) as fake:
        fake.script(answer)
        pipe.send(fake.url)
        while pipe.recv() == "counts":
            cpu = time.process_time()
            asked = fake.requests
            pipe.send(Received(len(asked), sum(input_tokens(request.body) for request in asked), cpu))
