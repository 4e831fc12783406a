"""The fake endpoint as a process: `python -m agentflows.testing.fake --port 0 --latency 0.2 --script my:script`.

It prints its URL on the first line of standard output and serves until it is interrupted or terminated.
Without a script it answers with the least JSON that fits the schema asked for, or the word "ok".
"""

import argparse
import importlib
import signal
import sys
import threading
from collections.abc import Sequence

from agentflows.testing.scripts import Script, minimal_reply
from agentflows.testing.server import FakeMessagesAPI


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m agentflows.testing.fake", description="A scripted Messages API on this machine."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--api-key", default="fake-key", help="what requests must carry (default: fake-key)")
    parser.add_argument("--script", default="", metavar="MODULE:FUNCTION", help="callable(request) -> reply")
    parser.add_argument("--output-config", choices=["supported", "rejected", "ignored"], default="supported")
    options = parser.parse_args(arguments)
    try:
        script = load_script(options.script) if options.script else minimal_reply
    except (ImportError, AttributeError, ValueError) as error:
        parser.error(f"--script {options.script!r} cannot be loaded: {error}. Give MODULE:FUNCTION.")
    fake = FakeMessagesAPI(
        api_key=options.api_key,
        latency_seconds=options.latency,
        output_config=options.output_config,
        port=options.port,
    )
    _serve(fake.script(script))
    for error in fake.script_errors[:10]:
        print(error, file=sys.stderr)  # noqa: T201 - a program's standard error
    return 1 if fake.script_errors else 0


def load_script(name: str) -> Script:
    """The callable that `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _serve(fake: FakeMessagesAPI) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    fake.start()
    print(fake.url, flush=True)  # noqa: T201 - what the caller waits for
    stop.wait()
    fake.close()


if __name__ == "__main__":
    raise SystemExit(main())
