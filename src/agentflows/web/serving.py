"""Serving: the application on a port of this machine, until it is interrupted."""

import errno
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import uvicorn

from agentflows.errors import AgentflowsError, UsageError
from agentflows.home import Home
from agentflows.web.access import Access
from agentflows.web.app import create_app

PORT = 4280
_SECONDS_TO_END = 2


class Served:
    """A port that is ours, and what will be served there. Nothing is answered before `run`."""

    def __init__(  # noqa: PLR0913 - each is an option of `agentflows ui`
        self,
        home: Home,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        can_write: bool = False,
        is_private: bool = False,
        allow_hosts: Sequence[str] = (),
        reviewer: str = "",
    ) -> None:
        """Take the port. What is not this machine's own address is private: reading needs the link, too.

        Raises:
            UsageError: the port is taken, or the address is not of this machine.
            StoreError: the state database cannot be opened.
        """
        home.state.waiting()
        self._socket = _listening(host, port)
        address = self._socket.getsockname()
        self.host, self.port = host, int(address[1])
        names = frozenset(name.lower() for name in (*allow_hosts, host))
        self.access = Access(
            can_write=can_write, is_private=is_private or not _is_loopback(address[0]), hosts=names
        )
        self.app = create_app(home, access=self.access, reviewer=reviewer)
        self._server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        """Where it is read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    @property
    def link(self) -> str:
        """What is opened first: with the token that becomes this browser's session, where there is one."""
        return f"{self.url}login?token={self.access.link}" if self.access.has_link else self.url

    def run(self, *, begun: Callable[[], None] = lambda: None) -> None:
        """Answer until SIGINT, SIGTERM or SIGHUP; `begun` is called when requests are answered."""
        config = uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,  # addresses of requests may hold the token
            server_header=False,
            timeout_graceful_shutdown=_SECONDS_TO_END,
            lifespan="off",
        )
        self._server = _Telling(config, begun)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Have `run` end soon, from another thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class _Telling(uvicorn.Server):
    """A server that says when it has begun to answer."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """A terminal that is closed ends it as SIGTERM does: an exception amid requests would be taken for one of theirs."""
        with super().capture_signals():
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = signal.getsignal(signal.SIGHUP)
            if before is not signal.SIG_IGN:
                signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        msg = f"{host!r} is no address of this machine ({error}). Leave --host out, or give one such as 127.0.0.1."
        raise UsageError(msg) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from error
    return listener


def _refused(host: str, port: int, error: OSError) -> AgentflowsError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"Port {port} of {host} is taken, perhaps by another `agentflows ui`. Open that one, name another port with "
            "--port, or let one be chosen with --port 0."
        )
    if error.errno == errno.EACCES:
        return UsageError(f"This user may not listen on port {port}. Name one above 1023 with --port.")
    return UsageError(
        f"Nothing can be served at {host}:{port}: {error.strerror}. Leave --host out, or give an address of this machine."
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
