#!/usr/bin/env bash
# The built wheel, installed into an empty environment, does its main job outside this repository:
# versions that install together start Prefect's server, and a dream over the project that `init` lays down ends well.
#
# Usage: check_wheel.sh PYTHON      (a Python that has `build`)
set -euo pipefail

python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
server=""

stop_server() {
    if [ -n "$server" ] && kill "$server" 2>/dev/null; then
        wait "$server" 2>/dev/null || true
    fi
    server=""
}
trap 'stop_server; rm -rf "$work"' EXIT

say() { printf '== %s\n' "$*"; }
fail() { printf 'check_wheel: %s\n' "$*" >&2; exit 1; }

# Nothing of the caller may help: no key, no home, no Prefect of theirs, no import path.
for name in $(compgen -e | grep -E '^(ANTHROPIC_|AGENTFLOWS_|PREFECT_|PYTHONPATH$|VIRTUAL_ENV$)' || true); do unset "$name"; done
export PREFECT_HOME="$work/prefect" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1

say "building the wheel"
"$python" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "the wheel does not build"; }
wheel=$(ls "$work"/dist/*.whl)
"$python" - "$wheel" <<'PYTHON'
import sys, zipfile

names = set(zipfile.ZipFile(sys.argv[1]).namelist())
wanted = {"agentflows/py.typed", "agentflows/_project/prefect.yaml", "agentflows/_project/flows/dream.py", "agentflows/_project/examples/teams/release/plan.yaml", "agentflows/web/templates/base.html", "agentflows/web/static/review.js"}
missing = sorted(wanted - names)
if missing or not any(name.startswith("agentflows/_project/examples/sessions/") for name in names):
    sys.exit(f"The wheel lacks {missing or 'the example sessions'}. See force-include in pyproject.toml.")
strangers = sorted({name.split("/")[0] for name in names if not name.startswith("agentflows")})
if strangers:
    sys.exit(f"The wheel holds {strangers} beside the package. See [tool.hatch.build] in pyproject.toml.")
PYTHON

say "installing it into an empty environment"
"$python" -m venv "$work/venv"
bin="$work/venv/bin"
"$bin/python" -m pip --disable-pip-version-check install -q -c "$root/constraints.txt" "$wheel"
"$bin/python" -m pip --disable-pip-version-check check
mkdir "$work/elsewhere"
cd "$work/elsewhere"
"$bin/agentflows" --version

say "starting Prefect's server with what was installed"
port=$("$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$bin/prefect" server start --host 127.0.0.1 --port "$port" >"$work/server.log" 2>&1 &
server=$!
"$bin/python" - "$port" "$server" <<'PYTHON' || { cat "$work/server.log" >&2; fail "the server does not start"; }
import os, sys, time, urllib.error, urllib.request

port, pid = sys.argv[1], int(sys.argv[2])
deadline = time.monotonic() + 120
while True:
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/flows/filter", b"{}", {"Content-Type": "application/json"})
        answer = urllib.request.urlopen(request, timeout=10).read()
        break
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            sys.exit(f"The server ended before it answered ({error}).")
        if time.monotonic() > deadline:
            sys.exit(f"The server did not answer within 120 s ({error}).")
        time.sleep(0.5)
if answer != b"[]":
    sys.exit(f"Expected no flows in a new server, found {answer!r}.")
PYTHON
stop_server

say "dreaming outside the repository"
home="$work/home"
"$bin/agentflows" init project
"$bin/agentflows" ingest project/examples/sessions --home "$home" --json >"$work/ingest.json"
"$bin/agentflows" memory import project/examples/memory --store example --home "$home" >/dev/null
code=0
"$bin/agentflows" dream --store example --home "$home" --json >"$work/dream.json" || code=$?
[ "$code" = 3 ] || { cat "$work/dream.json" >&2; fail "expected exit code 3 (changes wait for review), found $code"; }
"$bin/python" - "$work/ingest.json" "$work/dream.json" <<'PYTHON'
import json, sys

ingest, dream = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
if not ingest["added"] or ingest["lines"] != ingest["accepted"] + ingest["quarantined"]:
    sys.exit(f"Expected sessions and every line accounted for, found {ingest}.")
if not dream["changes"] or not any(change["quotes"] for change in dream["changes"]):
    sys.exit("Expected changes with quotes, found none.")
print(f"   {ingest['added']} sessions read, {len(dream['changes'])} changes proposed")
PYTHON
say "the wheel works"
