"""What counts as evidence in a whole dream: nothing twice, no memory for itself, and as much as was asked for."""

import json
from pathlib import Path
from typing import Any

from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files

RULE = "Never add emojis to commit messages."


def dream_of(home: Home, file: Path, *records: dict[str, Any], **options: Any) -> DreamReport:
    """A dream of the rules engine that commits what it may, over one file of these records."""
    file.write_text("\n".join(map(json.dumps, records)), "utf-8")
    ingest_files(home, [file])
    request = {"store": "team", "engine": "rules", "commit": "auto"}
    return dream_over(home, DreamRequest.model_validate(request | options))


def test_a_log_of_api_calls_says_a_sentence_once(tmp_path: Path):
    """Every call repeats the conversation so far; a sentence typed once is not the word of four sessions."""
    said: list[dict[str, str]] = []
    calls: list[dict[str, Any]] = []
    for number, words in enumerate([RULE, "Go on.", "Now the tests.", "Thanks."]):
        said = [
            *said,
            {"role": "user", "content": words},
            {"role": "assistant", "content": f"Done {number}."},
        ]
        calls.append(
            {"id": f"call_{number}", "created_at": f"2026-10-0{number + 1}T10:00:00Z", "messages": said}
        )
    with open_home(tmp_path / "home") as home:
        (change,) = dream_of(home, tmp_path / "calls.jsonl", *calls).changes
    assert (change.status, change.origins) == ("held", 1)
    assert change.after == f"- {RULE} (said in 4 sessions from 1 source)"


def test_the_support_that_was_asked_for_binds_what_is_committed_too(tmp_path: Path):
    """A rule said outright is proposed from one session on; with `--support 5` two are too few to write it unseen."""
    two = [
        {
            "session_id": name,
            "messages": [{"role": "user", "content": RULE}, {"role": "assistant", "content": "Ok."}],
        }
        for name in ("a", "b")
    ]
    with open_home(tmp_path / "home") as home:
        (change,) = dream_of(home, tmp_path / "chats.jsonl", *two, support=5).changes
        assert (change.status, "single_support" in change.risks) == ("held", True)
        (change,) = dream_of(home, tmp_path / "chats.jsonl", *two, store="other").changes
        assert change.status == "committed"
