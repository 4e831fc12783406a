"""The last that a worker's log has of a run is the run's own."""

import os
import subprocess
import sys
from pathlib import Path

RUN = """
import sys, threading, time
import duckdb
from agentflows import open_home

home = open_home(sys.argv[1])
home.state.list_stores()
threading.Thread(target=lambda held: time.sleep(600), args=(duckdb,), daemon=True).start()
print("done", file=sys.stderr)
"""


def test_a_run_that_never_opens_the_archive_ends_quietly_too(tmp_path: Path):
    """Importing DuckDB's bindings is enough for their list of leaks, as long as a daemon thread lives."""
    variables = os.environ | {"PREFECT__FLOW_RUN_ID": "a-run"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stderr == "done\n"
