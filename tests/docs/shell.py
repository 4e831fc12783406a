"""A shell that does the steps of a page as a reader would: one after the other, in one home and one folder.

`agentflows` and the programs of a page are run by `tests.command_server`, in a fork that has imported everything.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.command_line import command_socket, foreign_variables
from tests.conftest import EXAMPLES, ROOT
from tests.docs.pages import Page, Step

_SHIM = ROOT / "tests" / "docs" / "shim.py"
_ENDED = "ended"
_PROLOGUE = """
set -m  # what runs in the background has a group of its own, and heeds an interrupt
background=()
end_background() { for group in "${background[@]}"; do kill -INT -- -$group; done; wait; } 2>/dev/null
trap end_background EXIT
trap 'exit 1' TERM
"""
_PLACEHOLDERS = (
    (re.compile(r"\b(drm|outc|job|chg|pat|dec)_[0-9a-f]{16}\b"), r"\1_…"),
    (re.compile(r"(\[REDACTED:[a-z-]+:)[0-9a-f]{8}\]"), r"\1…]"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "DATE TIME"),
)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step."""

    step: Step
    exit_code: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """Why it is not what the page says; "" when it is."""
        if self.exit_code != self.step.exit_code:
            return f"{self.step}\nexit code {self.exit_code}, and the page says {self.step.exit_code}\n{self.out}\n{self.err}"
        printed = self.out if self.out.strip() else self.err
        if self.step.expected is not None and not is_shown(self.step.expected, printed):
            return f"{self.step}\nprints\n{printed}\nand the page shows\n{self.step.expected}"
        return ""


def is_shown(expected: str, printed: str) -> bool:
    """Whether a page shows what is printed: `…` alone on a line is any lines, within a line any text."""
    return bool(re.fullmatch(_pattern(_even(expected)), _even(printed)))


def _even(text: str) -> str:
    for pattern, placeholder in _PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines() if line.strip())


def _pattern(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*?".join(re.escape(part) for part in line.split("…")) + r"\n")
    return "".join(lines)


def run_page(
    page: Page,
    folder: Path,
    variables: Mapping[str, str],
    model: Mapping[str, str],
    *,
    seconds: float,
) -> list[Done]:
    """Do the steps of a page up to the first that goes wrong.

    Args:
        page: what to do.
        folder: an empty folder; `home` in it is the reader's, `project` where they stand.
        variables: more of the environment.
        model: variables of the steps that are run with a model.
        seconds: how long it may take.
    """
    home, project, record = folder / "home", folder / "project", folder / "record"
    for place in (home, project, record):
        place.mkdir(exist_ok=True)
    _lay_out(home, project)
    steps = page.to_run
    script = record / "page.sh"
    script.write_text(_script(steps, record, model), "utf-8")
    modules = ("prefect", "prefect.cli") if page.needs_prefect else ()
    with _commands(folder, *modules) as shell_variables:
        environment = _environment(folder, home, page) | shell_variables | dict(variables)
        process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", script], cwd=project, env=environment, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(seconds)
        finally:
            if process.poll() is None:
                process.terminate()
                _end(process)
    return _done(steps, record)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Give it time to end what it runs in the background, and no more."""
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _lay_out(home: Path, project: Path) -> None:
    """What the reader has: past sessions, a memory file, and the examples of the checkout."""
    sessions = home / ".claude" / "projects"
    if not sessions.exists():
        shutil.copytree(EXAMPLES / "sessions", sessions)
    shutil.copytree(EXAMPLES, project / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(EXAMPLES / "memory" / "CLAUDE.md", project / "CLAUDE.md")
    for name in ("prefect.yaml", "flows", "bench"):
        (project / name).symlink_to(ROOT / name)


def _environment(folder: Path, home: Path, page: Page) -> dict[str, str]:
    (folder / "bin").mkdir()
    for name in ("agentflows", "python-block", *(["prefect"] if page.needs_prefect else [])):
        program = folder / "bin" / name
        program.write_text(f"#!{sys.executable} -ISu\n{_SHIM.read_text('utf-8')}", "utf-8")
        program.chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in foreign_variables().items() if not name.startswith("PREFECT_")}
    return kept | {"HOME": str(home), "PATH": path, "COLUMNS": "120", "PREFECT_HOME": str(home / ".prefect")}


def _script(steps: Sequence[Step], record: Path, model: Mapping[str, str]) -> str:
    parts = [_PROLOGUE]
    for number, step in enumerate(steps):
        text = step.text
        if step.language == "python":
            program = record / f"{number}.py"
            program.write_text(text, "utf-8")
            text = f"python-block {program}"
        out = record / f"{number}.out"
        if step.mark == "with a model":
            given = " ".join(f"{name}={shlex.quote(value)}" for name, value in model.items())
            parts += [f"export {given}", _recorded(text, out), f"ended=$?; unset {' '.join(model)}"]
        elif step.mark == "in the background":
            parts += [f"{_recorded(text, out)} &", "background+=($!)"]
            continue
        else:
            parts += [_recorded(text, out), "ended=$?"]
        parts.append(f"echo $ended >{record / str(number)}.{_ENDED}; [ $ended = {step.exit_code} ] || exit 1")
    return "\n".join(parts) + "\n"


def _recorded(text: str, out: Path) -> str:
    return f"{{ {text}\n}} >{out} 2>{out}.err"


def _done(steps: Sequence[Step], record: Path) -> list[Done]:
    found: list[Done] = []
    for number, step in enumerate(steps):
        ended, out = record / f"{number}.{_ENDED}", record / f"{number}.out"
        err = Path(f"{out}.err")
        if not out.exists():
            break
        in_background = step.mark == "in the background"
        code = int(ended.read_text()) if ended.exists() else step.exit_code if in_background else -1
        found.append(Done(step, code, out.read_text("utf-8"), err.read_text("utf-8")))
    return found


@contextmanager
def _commands(folder: Path, *modules: str) -> Generator[dict[str, str]]:
    """Take commands from the shell's stand-ins and hand them to the command server, until the block ends."""
    address = folder / "commands"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed: the page is done
                    return
                with connection:
                    _, files, _, _ = socket.recv_fds(connection, 1, 3)
                    if files:
                        socket.send_fds(command_socket(*modules), [b"."], [connection.fileno(), *files])
                    for file in files:
                        os.close(file)

        thread = threading.Thread(target=serve, name="commands")
        thread.start()
        try:
            yield {"COMMAND_SOCKET": str(address)}
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
