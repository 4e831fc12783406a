"""`agentflows …`, `prefect …` or `python-block FILE` for the shell that runs a page: asks the process that has imported it already.

It hands its own standard input, output and error over, so that pipes and redirections are the shell's. The address of the
socket is `COMMAND_SOCKET`; see `tests.docs.shell`.
"""

import json
import os
import signal
import socket
import sys


def main() -> int:
    """Have the command run, pass signals on, and exit as it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["COMMAND_SOCKET"])
        socket.send_fds(connection, [b"."], [0, 1, 2])
        order = {
            "words": sys.argv[1:],
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109 - pathlib would be most of its time
            "file_bytes": 0,
            "is_bound": False,
            "program": sys.argv[0].rpartition("/")[2],
        }
        connection.sendall(json.dumps(order).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as lines:
            process = int(lines.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda given, _: os.kill(process, given))
            code = int(lines.readline())
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
