"""Speaks `claude -p --output-format stream-json --verbose` without a model: events in its order, with its fields.

What it does is told by the variable STANDIN: `ok`, `error`, `max_turns`, `liar` (success, then exit code 3), `cut` (no
result), `hang`, `flood`. Its prompt is the last word of the command line, or standard input.
"""

# ruff: noqa: T201 - a program's output
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path


def say(**event: object) -> None:
    print(json.dumps({**event, "session_id": SESSION, "uuid": str(uuid.uuid4())}), flush=True)


def assistant(number: int, *content: dict[str, object]) -> None:
    message = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
        "content": list(content), "stop_reason": None,
        "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100},
    }  # fmt: skip
    say(type="assistant", message=message, parent_tool_use_id=None)


def result(subtype: str, text: str, *, is_error: bool = False) -> None:
    say(
        type="result", subtype=subtype, is_error=is_error, duration_ms=12, duration_api_ms=10, num_turns=2,
        result=text, total_cost_usd=0.0123,
        usage={"input_tokens": 20, "output_tokens": 10, "cache_read_input_tokens": 200},
    )  # fmt: skip


words = sys.argv[1:]
SESSION = words[words.index("--resume") + 1] if "--resume" in words else f"native-{os.getpid()}"
mode = os.environ.get("STANDIN", "ok")
prompt = sys.stdin.read() or words[-1]
print("a line that is no event")
say(
    type="system", subtype="init", cwd=str(Path.cwd()), model="claude-sonnet-5-5", permissionMode="acceptEdits",
    tools=["Bash"], claude_code_version="2.1.217",
)  # fmt: skip
if mode == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path("child.pid").write_text(str(child.pid))
    time.sleep(60)
if mode == "flood":
    while True:
        print("x" * 65536)
assistant(
    1,
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}},
)
say(
    type="user", parent_tool_use_id=None,
    message={"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "Exit code 2\nmake: no rule"}
    ]},
)  # fmt: skip
say(type="stream_event", event={"type": "content_block_delta"}, parent_tool_use_id=None)
Path("out.md").write_text(f"{SESSION}\n{prompt}\n{sorted(os.environ)}")
assistant(2, {"type": "text", "text": "Done."})
if mode == "cut":
    print("it broke", file=sys.stderr)
    raise SystemExit(1)
if mode == "error":
    result("error_during_execution", "API Error: 529", is_error=True)
elif mode == "max_turns":
    result("error_max_turns", "", is_error=True)
else:
    result("success", "Done.")
raise SystemExit(3 if mode == "liar" else 0)
