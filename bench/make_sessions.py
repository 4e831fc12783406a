"""As many sessions as a benchmark asks for, of the kind in `examples/`, each different and always the same."""

import importlib.util
import json
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("harbor_build", ROOT / "examples" / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["harbor_build"] = module
    spec.loader.exec_module(module)
    return module


def make_sessions(folder: Path, count: int, *, padding: int = 0) -> int:
    """Write `count` session files into `folder`; `padding` adds characters of tool output to each.

    Returns the bytes written.
    """
    build = _builder()
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for number in range(count):
        wish, path = build.TASKS[number % len(build.TASKS)]
        log = build.Log(
            f"bench-{number}", build.datetime(2026, 1, 5, 8, tzinfo=build.UTC) + timedelta(hours=3 * number)
        )
        log.user(f"Please {wish}, variant {number}.")
        build.change(log, path)
        if padding:
            text = "\n".join(
                f"line {log.rng.randint(0, 10**9)} of a long build log" for _ in range(padding // 40)
            )
            log.bash("uv run harbor build --verbose", text)
        for chance, trouble in (
            (0.3, build.make_test_trouble),
            (0.15, build.tabs_trouble),
            (0.2, build.database_trouble),
        ):
            if log.rng.random() < chance:
                trouble(log)
        if path.startswith("dashboard/"):
            build.lint_trouble(log, path)
        if log.rng.random() < 0.02:
            log.user("Always keep amounts in integer cents.")
        if log.rng.random() < 0.5:
            build.commit(log, "commit and update the changelog")
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in log.lines) + "\n"
        (folder / f"{log.session_id}.jsonl").write_text(text, "utf-8")
        written += len(text.encode())
    return written
