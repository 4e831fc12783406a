"""A port for a server that a test starts."""

import contextlib
import secrets
import socket


def free_port() -> int:
    """One that no client is given meanwhile: a server takes long to start, and the system hands out those above 32767."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", 12_000 + secrets.randbelow(20_000)))
            return int(probe.getsockname()[1])
