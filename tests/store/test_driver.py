"""PostgreSQL's driver is an extra: without it, the message says how to get it."""

import subprocess
import sys

CODE = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Without())
from agentflows.errors import SettingsError
from agentflows.store import State
try:
    State("postgresql://ada@localhost/dreams")
except SettingsError as error:
    print(error)
"""


def test_postgres_without_its_driver_says_what_to_install():
    """A fresh installation has no psycopg; a traceback about modules does not say that it is an extra."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], check=True, capture_output=True, text=True, timeout=120
    )
    assert "pip install 'agentflows[postgres]'" in done.stdout
