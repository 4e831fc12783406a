"""A Messages API on this machine: a real HTTP server that answers by script, for tests and benchmarks."""

import contextlib
import socket
import sys
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agentflows.testing.api import Answer, Behaviour, FakeAPI, OutputConfig
from agentflows.testing.batches import FakeBatch
from agentflows.testing.replies import Reply
from agentflows.testing.scripts import FakeRequest, Script, Scripted, ScriptError

PIECE_BYTES = 64
"""Size of the pieces in which a trickling body goes out."""


class FakeMessagesAPI:
    """A strict, scripted Messages API on `127.0.0.1`. Use it as a context manager.

        with FakeMessagesAPI() as fake:
            fake.queue(Reply.json({"answer": 4}))
            client = anthropic.Anthropic(base_url=fake.url, api_key=fake.api_key)

    Every request is checked as the hosted API would check it, and more strictly where leniency hides faults.
    Leaving the `with` block raises `ScriptError` if the script itself was at fault.

    Args:
        api_key: what requests must carry.
        latency_seconds: waited before every answer to a request for a message.
        output_config: what the endpoint makes of structured output: `supported`, `rejected` or `ignored`.
        models: the model ids it knows; None is every id.
        lists_models: whether `/v1/models` exists.
        allowed_betas: `anthropic-beta` values that are expected; any other is refused.
        extra_fields: top-level request fields tolerated beyond the API's.
        cache_minimum_tokens: shorter prefixes are not cached.
        batch_polls: how often a batch must be looked at before it has ended.
        port: 0 takes a free one.
    """

    def __init__(  # noqa: PLR0913 - every argument is a trait of the endpoint, all have defaults
        self,
        *,
        api_key: str = "fake-key",
        latency_seconds: float = 0.0,
        output_config: OutputConfig = "supported",
        models: Collection[str] | None = None,
        lists_models: bool = True,
        allowed_betas: Collection[str] = (),
        extra_fields: Collection[str] = (),
        cache_minimum_tokens: int = 1024,
        batch_polls: int = 1,
        port: int = 0,
    ) -> None:
        self.api_key = api_key
        self.latency_seconds = latency_seconds
        self._api = FakeAPI(
            Behaviour(
                api_key,
                output_config,
                models,
                lists_models,
                allowed_betas,
                extra_fields,
                cache_minimum_tokens,
                batch_polls,
            )
        )
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fake-messages-api"
        )

    def __repr__(self) -> str:
        return f"<FakeMessagesAPI at {self.url}: {len(self.requests)} requests>"

    # -- what to answer --------------------------------------------------------------------------

    def script(self, script: Script) -> Self:
        """Answer every request that nothing else answers with `script(request)`."""
        self._api.scripts.always(script)
        return self

    def first_on_batches(self, *faults: Reply) -> Self:
        """Let the next requests about batches end in `Reply.error`, `drop`, `broken_json` or `wrong_content_type`.

        That is creating, looking, canceling and fetching results; what a drop interrupts was carried out.
        """
        self._api.scripts.first_on_batches(*faults)
        return self

    def queue(self, *replies: Scripted) -> Self:
        """Answer the next requests with these, one each, in this order."""
        self._api.scripts.queue(*replies)
        return self

    def when(self, marker: str, *answers: Scripted | Script) -> Self:
        """Answer requests whose text contains `marker`: with these in order, or with one script for ever.

        A marker is how one fake serves several purposes at once: any words of the prompt that only this
        purpose has.
        """
        self._api.scripts.when(marker, *answers)
        return self

    def first(self, *replies: Reply) -> Self:
        """Answer the very next requests with these, whatever they ask: faults, before all goes well."""
        self._api.scripts.first(*replies)
        return self

    # -- what was asked --------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[FakeRequest]:
        """Well-formed requests for a message so far, in order of arrival; those of batches included."""
        return list(self._api.requests)

    @property
    def refused(self) -> list[str]:
        """What was wrong with each request that was refused."""
        return list(self._api.refused)

    @property
    def script_errors(self) -> list[ScriptError]:
        """Where the script, not the caller, was at fault."""
        return list(self._api.script_errors)

    @property
    def batches(self) -> list[FakeBatch]:
        """All batches, newest first."""
        return self._api.batches.all()

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Serve from a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving, end every connection, and wait for their threads. A second call does nothing."""
        self._server.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.script_errors:
            raise self.script_errors[0]

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """The answer to one HTTP request (used by the server's threads)."""
        return self._api.handle(method, path, headers, body, self.url)


class _Server(ThreadingHTTPServer):
    """One thread per connection; remembers connections, so that closing does not wait for idle ones."""

    daemon_threads = False  # so that `server_close` joins them
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], fake: FakeMessagesAPI) -> None:
        self.fake = fake
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that has gone is no fault
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests from one connection and writes answers, faults included."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for a delayed acknowledgement
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]: it is only ever made by `_Server`

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve("POST")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.fake.answer(method, self.path, headers, body)
        is_message = self.path.partition("?")[0] == "/v1/messages"
        self._wait(answer.delay_seconds + (self.server.fake.latency_seconds if is_message else 0.0))
        if self.server.closing.is_set():
            self.close_connection = True
            return
        try:
            self._write(answer)
        except OSError:  # the client has given up, as it may
            self.close_connection = True

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.server.closing.wait(seconds)

    def _write(self, answer: Answer) -> None:
        if answer.drop:
            self.close_connection = True
        if answer.drop == "before_headers":
            return
        if isinstance(answer.body, tuple):
            self._write_stream(answer, answer.body)
        else:
            self._write_whole(answer, answer.body)

    def _head(self, answer: Answer, framing: tuple[str, str]) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header(*framing)
        for name, value in answer.headers.items():
            self.send_header(name, value)

    def _write_whole(self, answer: Answer, body: bytes) -> None:
        self._head(answer, ("content-length", str(len(body))))
        self.end_headers()
        if answer.drop == "after_headers":
            return
        kept = body[: len(body) // 2] if answer.drop == "mid_body" else body
        if not answer.trickle_seconds:
            self.wfile.write(kept)
            return
        for start in range(0, len(kept), PIECE_BYTES):
            self._wait(answer.trickle_seconds)
            self.wfile.write(kept[start : start + PIECE_BYTES])

    def _write_stream(self, answer: Answer, pieces: tuple[bytes, ...]) -> None:
        self._head(answer, ("transfer-encoding", "chunked"))
        self.end_headers()
        if answer.drop == "after_headers":
            return
        kept = pieces[: len(pieces) // 2] if answer.drop == "mid_body" else pieces
        for piece in kept:
            self._wait(answer.trickle_seconds)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if not answer.drop:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing: requests are recorded, not printed."""
