"""Homes to crash in, and all that must be the same afterwards."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from agentflows.change import DreamReport
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES

RULES: dict[str, Any] = {"store": "example", "engine": "rules", "commit": "auto"}
CLAUDE: dict[str, Any] = {"store": "example", "engine": "claude", "commit": "auto"}
_TIMES = {"created_at", "ended_at"}


def fill(folder: Path) -> Path:
    """The example project: 33 sessions and a memory."""
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
    return folder


def copy(folder: Path, to: Path) -> Path:
    """The same home again: the same ids everywhere, so that the same dream has the same id."""
    shutil.copytree(folder, to)
    return to


def outcome(folder: Path) -> dict[str, Any]:
    """All that a dream leaves behind, without times and without what a re-run may know from before."""
    with open_home(folder) as home:
        return {
            "dreams": [_plain(home.state.dream(one.dream_id)) for one in home.state.dreams()],
            "stores": [_store(home, store.store_id) for store in home.state.list_stores()],
            "decisions": sorted(
                (one.change_id, one.verdict, one.reviewer, one.edited_after, one.used_at is not None)
                for one in home.state.decisions()
            ),
        }


def _plain(report: DreamReport) -> dict[str, Any]:
    dream = report.dream.model_dump(mode="json", exclude=_TIMES)
    coverage = report.coverage
    return {
        "dream": dream,
        "changes": [change.model_dump(mode="json") for change in report.changes],
        "ledger": report.ledger.model_dump(mode="json"),
        "patterns": [pattern.model_dump(mode="json") for pattern in report.patterns],
        "refused": report.refused,
        "refusals": sorted(json.dumps(item.model_dump(mode="json")) for item in report.refusals),
        "read": (coverage.read + coverage.from_cache, coverage.failed, coverage.selected, coverage.turns),
    }


def _store(home: Home, store_id: str) -> dict[str, Any]:
    store = home.state.get_store(store_id)
    return {
        "name": store.name,
        "version": store.version,
        "sha256": store.sha256,
        "files": home.state.files(store_id),
        "versions that hold": home.state.verify(store_id),
        "written by dreams": [
            (one.store_version, one.path, one.dream_id)
            for one in home.state.versions(store_id)
            if one.dream_id
        ],
        "evidence": len(home.state.evidence(store_id)),
    }


def version(folder: Path) -> int:
    """The version of the example's store: 1 until a dream has committed."""
    with open_home(folder) as home:
        return home.state.get_store("example").version


def answers_kept(folder: Path) -> int:
    """Model answers in the home's cache."""
    connection = sqlite3.connect(folder / "state.db")
    try:
        return int(connection.execute("SELECT count(*) FROM cache WHERE key LIKE 'ask:%'").fetchone()[0])
    finally:
        connection.close()
