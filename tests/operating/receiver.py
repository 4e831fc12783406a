"""A webhook on this machine, of which `agentflows automations` tells a server."""

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prefect.blocks.notifications import CustomWebhookNotificationBlock

from tests import command_line
from tests.prefect_server import wait_for


class Receiver:
    """A server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ops"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hears(self, subject: str) -> str:
        """The one body that comes with a subject."""
        found = wait_for(subject, lambda: [one["body"] for one in self.heard if one["subject"] == subject])
        assert len(found) == 1, self.heard
        return found[0]


@contextmanager
def listening(variables: Mapping[str, str]) -> Generator[Receiver]:
    """A webhook that the automations of the server in the settings tell; `variables` name the same server."""
    receiver = Receiver()
    block: Any = CustomWebhookNotificationBlock.model_validate(
        {"name": "ops", "url": receiver.url, "json_data": {"subject": "{{subject}}", "body": "{{body}}"}}
    )
    block.save("ops", overwrite=True)
    _automations(variables, "--notify", "custom-webhook/ops")
    try:
        yield receiver
    finally:
        _automations(variables, "--remove")
        receiver.close()


def _automations(variables: Mapping[str, str], *words: str) -> None:
    """`agentflows automations …`."""
    done = command_line.run("automations", *words, environment=variables)
    assert done.returncode == 0, done.stderr
