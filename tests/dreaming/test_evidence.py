"""What counts as evidence in a whole dream: nothing twice, no memory for itself, and as much as was asked for."""

import json
from pathlib import Path
from typing import Any

from agentflows.change import DreamReport, Observation
from agentflows.dream.quotes import resolve_quote
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
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


def test_a_memory_published_into_any_folder_cannot_prove_itself(tmp_path: Path):
    """Two sessions read the export and repeat its line: that is the memory twice, not two sessions that saw it."""
    fact = "The nightly export writes to the bucket harbor-nightly."
    notes, mounted = tmp_path / "notes.md", tmp_path / "srv" / "team"
    notes.write_text(f"# Facts\n\n- {fact}\n", "utf-8")
    with open_home(tmp_path / "home") as home:
        home.state.create_store("team", actor=home.actor())
        home.state.import_folder("team", notes, actor=home.actor())
        home.state.export_store("team", mounted)
        shown = next(mounted.rglob("*.md")).read_text("utf-8")
        path = {"file_path": str(mounted / "notes.md")}
        messages: list[dict[str, Any]] = [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": path}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": shown}]},
            {"role": "assistant", "content": fact},
        ]
        chats = tmp_path / "chats.jsonl"
        chats.write_text(
            "\n".join(json.dumps({"session_id": name, "messages": messages}) for name in "ab"), "utf-8"
        )
        ingest_files(home, [chats])
        run = DreamRun.start(home, DreamRequest(store="team", engine="rules"))
        run.observations = {
            session.session_id: [
                Observation(
                    session_id=session.session_id, root_id=session.session_id, kind="fact", subject="export",
                    attribute="bucket", claim=fact, quotes=(quote,),
                )
                for seq in (1, 2)
                if (quote := resolve_quote(session, seq, fact))
            ]
            for session in home.archive.sessions(["a", "b"])
        }  # fmt: skip
        assert run.check_quotes() == (0, 4)
        assert {refusal.gate for refusal in run.refusals} == {"recalled"}
        run.release()
