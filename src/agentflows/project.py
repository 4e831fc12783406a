"""Where flows come from: the project in the current folder, else the copy the wheel carries.

Flows are the only part that knows Prefect, and operators edit them: so they are files of a project,
loaded by path, not modules of this package.
"""

import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from agentflows.errors import NotFoundError, UsageError

FLOWS = ("ingest", "dream", "review", "impact", "outcome", "orchestrate", "nightly")
"""The flows every project has; a file of the same name in `flows/` holds each."""
MARKER = ".agentflows-project"
"""The file by which `init` marks a folder whose flows may run; it is to be committed with them."""
_MARKED = "agentflows runs the flows in flows/ when it is started in this folder; without this file it runs its own.\n"
PREFECT_SETTINGS = ".env.prefect"
"""The file of a project that gives its Prefect server a password. It is for its owner only, and not to be committed."""
_LOADING = threading.RLock()
_DEPLOYS_DREAM = re.compile(r"""(?m)^\s*(?:-\s+)?entrypoint:\s*(["']?)flows/dream\.py:dream\1\s*(?:#.*)?$""")


def bundled() -> Path:
    """The project this installation carries: inside the wheel, or the checkout it runs from."""
    package = Path(__file__).resolve().parent
    inside = package / "_project"
    return inside if inside.is_dir() else package.parents[1]


def project_root(start: Path | None = None) -> Path:
    """The current folder when it is an agentflows project, else `bundled()`.

    Flows are code, and a folder may be anyone's: having a `flows/dream.py` is not enough. A project has the marker
    that `agentflows init` writes, and a `prefect.yaml` that deploys `flows/dream.py:dream`.
    """
    here = (start or Path.cwd()).resolve()
    return here if is_project(here) else bundled()


def is_project(folder: Path) -> bool:
    """Whether the flows of this folder are meant to be run by agentflows."""
    if not (folder / "flows" / "dream.py").is_file() or not (folder / MARKER).is_file():
        return False
    try:
        return _DEPLOYS_DREAM.search((folder / "prefect.yaml").read_text("utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def flows_folder(start: Path | None = None) -> Path | None:
    """The folder flows come from when it is the current folder's own; None when they are this installation's."""
    here = (start or Path.cwd()).resolve()
    return here / "flows" if project_root(here) == here else None


def load_module(name: str, root: Path | str | None = None) -> ModuleType:
    """The module of `flows/<name>.py`, loaded once per path and process, also by several threads at once.

    Raises:
        NotFoundError: there is no such flow; the message lists those there are.
    """
    folder = Path(root or project_root()) / "flows"
    path = folder / f"{name}.py"
    if not path.is_file():
        found = sorted(item.stem for item in folder.glob("[a-z]*.py"))
        msg = f"There is no flow {name!r} in {folder}. It has: {', '.join(found) or 'none'}."
        raise NotFoundError(msg)
    module_name = f"agentflows_flows_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{name}"
    with _LOADING:  # or a second thread would get the module before it was run
        return sys.modules.get(module_name) or _loaded(module_name, path)


def _loaded(module_name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        msg = f"{path} cannot be loaded as Python."
        raise UsageError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def load_flow(name: str, root: Path | str | None = None) -> Any:
    """The Prefect flow called `name`: `load_flow("dream")(store="team")` runs it here and now.

    Prefect's telemetry is switched off unless `PREFECT_SERVER_ANALYTICS_ENABLED` says otherwise: a temporary server
    that ends before it was sent prints a traceback about it. Where Prefect was imported before, its settings stand.

    Raises:
        NotFoundError: there is no such flow.
    """
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    return getattr(load_module(name, root), name)


def load_helper(name: str, root: Path | None = None) -> ModuleType:
    """A file of `flows/` that is no flow (`_serve`, `_automations`): the project's own, else this installation's."""
    folder = root or project_root()
    own = (folder / "flows" / f"{name}.py").is_file()
    return load_module(name, folder if own else bundled())


def prefect_settings(port: int = 4200) -> str:
    """Settings for a Prefect server of one's own, and whoever works with it, with a password made now.

    Prefect asks for no password unless it is told to, lets every page of the web call it, and sends usage data.
    """
    password = f"admin:{secrets.token_urlsafe(24)}"
    address = f"http://127.0.0.1:{port}"
    return f"""\
# A Prefect server with a password. In each terminal, and for each worker:
#
#   set -a; . ./{PREFECT_SETTINGS}; set +a; umask 077
#
# The server keeps reports with quotes of your sessions in its database: umask 077 keeps its files to you.

# The server: the password, tokens against requests forged by other pages, no page but its own, this machine only.
PREFECT_SERVER_API_AUTH_STRING={password}
PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED=true
PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS={address},http://localhost:{port}
PREFECT_SERVER_API_HOST=127.0.0.1
PREFECT_SERVER_API_PORT={port}
PREFECT_SERVER_ANALYTICS_ENABLED=false
# Its newer pages (/v2) ask a statistics service for settings all the same. This leads to the older ones, which ask nobody:
# PREFECT_SERVER_UI_V2_ENABLED=false

# Workers, commands and flows.
PREFECT_API_URL={address}/api
PREFECT_API_AUTH_STRING={password}
PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true
"""


def init_project(folder: Path) -> list[str]:
    """Lay down a project to edit: `flows/`, `prefect.yaml`, `examples/`, settings for Prefect and the marker.

    Existing files are kept; `.gitignore` gets one line more. Returns the paths written, relative to `folder`.

    Raises:
        UsageError: `folder` is a file, or cannot be written.
    """
    source = bundled()
    written: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for item in ("flows", "prefect.yaml", "examples"):
            origin = source / item
            files = [origin] if origin.is_file() else sorted(origin.rglob("*"))
            for path in files:
                relative = path.relative_to(source)
                target = folder / relative
                if path.is_dir() or "__pycache__" in relative.parts or target.exists():
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                written.append(str(relative))
        if not (folder / MARKER).exists():
            (folder / MARKER).write_text(_MARKED, "utf-8")
            written.append(MARKER)
        if _keep_uncommitted(folder / ".gitignore"):
            written.append(".gitignore")
        if not (folder / PREFECT_SETTINGS).exists():
            mine = os.open(folder / PREFECT_SETTINGS, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(mine, "w", encoding="utf-8") as file:
                file.write(prefect_settings())
            written.append(PREFECT_SETTINGS)
    except OSError as error:
        msg = f"The project cannot be laid down in {folder}: {error.strerror or error}. Name a folder you can write."
        raise UsageError(msg) from error
    return written


def _keep_uncommitted(path: Path) -> bool:
    """Have git leave out the file with the password, and say whether that was new."""
    before = path.read_bytes() if path.exists() else b""
    line = PREFECT_SETTINGS.encode()
    if line in before.split():
        return False
    end = b"" if not before or before.endswith(b"\n") else b"\n"
    path.write_bytes(before + end + line + b"\n")
    return True
