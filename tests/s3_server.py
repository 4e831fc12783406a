"""A private S3 server for tests: moto's, on loopback, gone at the end. Nothing of it leaves the process.

Use it from a `conftest.py` or a test file: `from tests.s3_server import s3, s3_server` (and name them in `__all__`), then
ask for the fixture `s3`: the AWS_* variables point at the server, and `s3.new_bucket()` is the URL of an empty bucket.
Processes that a test starts need `s3.variables` in their environment.
"""

import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'


class _Quiet(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a test's output is the test's."""


class S3Server:
    """A running server; a context manager.

    moto keeps its objects without a lock, so writes go one at a time here: a conditional one is then decided as the
    real service does it, atomically.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        """How many there were, by method. `clear()` it before what is to be counted."""
        self.is_denying = False
        """Refuse everything, as a store does to a key without rights."""
        self.heeds_conditions = True
        """Whether `If-Match` and `If-None-Match` count; some stores pass over them in silence."""
        self.latency = 0.0
        """Seconds that each request waits first."""
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._writing = threading.Lock()
        self._buckets = 0
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="s3", daemon=True)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment that leads every S3 client here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self) -> str:
        """The URL of a bucket made now, such as `s3://bucket-1`."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"), timeout=30):
            return f"s3://{name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests[environ["REQUEST_METHOD"]] += 1
        time.sleep(self.latency)
        if self.is_denying:
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [_DENIED]
        if not self.heeds_conditions:
            for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                environ.pop(name, None)
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            return self._moto(environ, start_response)
        with self._writing:
            return list(self._moto(environ, start_response))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the whole run."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, with the environment set for it, in its ordinary ways."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    s3_server.requests.clear()
    yield s3_server
    s3_server.is_denying, s3_server.heeds_conditions, s3_server.latency = False, True, 0.0
