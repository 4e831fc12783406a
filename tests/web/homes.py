"""Homes that tests of the web page read: the example project with a dream that waits, and one where everything is hostile."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agentflows.change import (
    Change,
    Coverage,
    Dream,
    DreamReport,
    Ledger,
    LedgerLine,
    Pattern,
    Quote,
    Refusal,
    identity,
)
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.evaluation import Attempt, CriterionResult, Evaluation, Evidence, Outcome
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit, MemoryStore, parse_entries, sha256
from agentflows.pursuing import OutcomeRequest, make_request
from agentflows.readers import discover
from agentflows.session import Session, SourceRead, Span, Turn
from agentflows.team import FileChange, Message, Orchestration, SubTask, Thread, ThreadTurn
from tests.conftest import EXAMPLES

DAY = datetime(2026, 11, 3, 9, 30)  # noqa: DTZ001
HIDDEN = "\u202e\u200b\x1b[31m\u2066"
"""Turns text round, takes no room, colours a terminal, isolates."""
HOSTILE = (
    '<script>window.owned=1</script><img src=x onerror="window.owned=1"> "\'><svg/onload=window.owned=1> '
    f"[x](javascript:window.owned=1) ![y](http://evil.example/t.png) {{{{7*7}}}} ⟦U+0041⟧ {HIDDEN}end"
)


def make_example(folder: Path) -> None:
    """The example project, dreamt over, with everything held."""
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", "What the example project knows", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        dream_over(home, DreamRequest(store="example", engine="rules"))


def dream_id(home: Home) -> str:
    """The newest dream."""
    return home.state.dream_lines(limit=1)[0].dream.dream_id


def held_changes(
    home: Home, count: int, *, name: str = "team", dream: str = "drm_many", quotes: Sequence[Quote] = ()
) -> MemoryStore:
    """A store with one memory, and a dream over it that would add so many entries."""
    if not any(store.name == name for store in home.state.list_stores()):
        made = home.state.create_store(name, actor=home.actor("tester"))
        edit = MemoryEdit(path="/notes.md", content="# Notes\n\n- One\n- Two\n", expected_sha256=None)
        home.state.commit(made.store_id, [edit], base_version=0, actor=home.actor("tester"))
    store = home.state.get_store(name)
    changes = [
        Change(
            change_id=f"chg_{identity(dream, number)}", dream_id=dream, op="add", path="/notes.md", heading="Notes",
            after=f"- Lesson number {number}", reason="two sessions say so", support=2, origins=2, trust=3,
            quotes=tuple(quotes), status="held", status_reason="everything waits for review",
        )
        for number in range(1, count + 1)
    ]  # fmt: skip
    home.state.save_dream(_report(store, changes, dream))
    return store


def _report(store: MemoryStore, changes: Sequence[Change], dream: str) -> DreamReport:
    return DreamReport(
        dream=Dream(
            dream_id=dream, status="completed", store_id=store.store_id, store_name=store.name, engine="rules/2",
            base_version=store.version, base_sha256=store.sha256, created_at=DAY,
        ),
        changes=tuple(changes),
        coverage=Coverage(archived=2, selected=2, read=2, from_cache=0),
    )  # fmt: skip


def add_session(home: Home, session: Session) -> None:
    """Archive a session as it is."""
    read = SourceRead(
        file=session.session_id, sha256=sha256(session.session_id), format=session.format, lines=1, accepted=1,
        sessions=(session,),
    )  # fmt: skip
    home.archive.add([read])


def make_hostile(home: Home, workspace: Path) -> None:
    """Whatever others write is an attack: sessions, a store, a dream with all its parts, a job, an outcome."""
    add_session(home, _session())
    actor = home.actor(f"ada {HOSTILE}"[:60])
    store = home.state.create_store("<b>bad</b> /../store", HOSTILE, actor=actor)
    text = f"# {HOSTILE}\n\n- {HOSTILE}\n\n<div onclick=alert(1)>{HOSTILE}</div>\n\n```html\n{HOSTILE}\n```\n"
    path = "/<script>alert(1)<|script>.md"
    edits = [
        MemoryEdit(path=path, content=text, expected_sha256=None),
        MemoryEdit(path="/a b?c#d%2F.md", content="- fine\n", expected_sha256=None),
    ]
    store = home.state.commit(store.store_id, edits, base_version=0, actor=actor, message=HOSTILE)
    entry = next(one for one in parse_entries(path, text) if one.kind == "list_item")
    home.state.pin(store.store_id, entry, actor=actor, reason=HOSTILE)
    home.state.save_dream(_hostile_report(store, path, text))
    _hostile_job(home)
    _hostile_outcome(home, workspace)


def _session() -> Session:
    kinds = ("user", "agent", "thinking", "tool_call", "tool_result", "system", "summary")
    turns = tuple(
        Turn(
            seq=seq,
            kind=kind,
            trust=3 if kind == "user" else 1,
            text=HOSTILE if seq else HOSTILE * 60,
            tool=HOSTILE[:80],
            thread=HOSTILE[:40],
            is_error=kind == "tool_result",
            spans=(Span(2, 20, "recalled"), Span(30, 44, "pasted"), Span(50, 60, "injected")),
            at=DAY,
        )
        for seq, kind in enumerate(kinds)
    )
    return Session(
        session_id="../<i>s</i>?&#1", format="messages", reader="messages/1", agent=HOSTILE, project=HOSTILE,
        task=HOSTILE, title=HOSTILE, started_at=DAY, ended_at=DAY, turns=turns,
    )  # fmt: skip


def _quote() -> Quote:
    session = _session()
    return Quote(
        session_id=session.session_id, seq=0, start=5, end=60, text=HOSTILE[5:60], sha256=sha256(HOSTILE[5:60]),
        trust=1, kind="user", root_id=session.session_id, at=DAY,
    )  # fmt: skip


def _hostile_report(store: MemoryStore, path: str, text: str) -> DreamReport:
    entries = [one.entry_id for one in parse_entries(path, text)]
    common: dict[str, Any] = {
        "dream_id": "drm_hostile", "path": path, "reason": HOSTILE, "quotes": (_quote(),), "status": "held",
        "status_reason": HOSTILE, "support": 1, "origins": 1, "trust": 1, "pattern_id": "pat_1", "risks": ("deletes",),
    }  # fmt: skip
    changes = (
        Change(change_id="chg_add", op="add", heading=HOSTILE[:60], after=f"- {HOSTILE}", **common),
        Change(
            change_id="chg_new", op="supersede", entry_ids=(entries[1],), before=f"- {HOSTILE}",
            after=f"- new {HOSTILE}", **common,
        ),
        Change(change_id="chg_flag", op="flag", entry_ids=(entries[1],), before=f"- {HOSTILE}", **common),
    )  # fmt: skip
    pattern = Pattern(
        pattern_id="pat_1", key="k", kind="fact", subject=HOSTILE, attribute=HOSTILE, claim=HOSTILE, when=HOSTILE,
        when_not=HOSTILE, sessions=(_session().session_id,), origins=1, trust=1, quotes=(_quote(),),
        stats={HOSTILE[:40]: 1.0},
    )  # fmt: skip
    lines = tuple(LedgerLine(entry_id=name, path=path, fate="kept", reason=HOSTILE) for name in entries)
    base = _report(store, changes, "drm_hostile")
    return base.model_copy(
        update={
            "dream": base.dream.model_copy(
                update={"instructions": HOSTILE, "model": HOSTILE, "error": HOSTILE, "error_type": HOSTILE}
            ),
            "patterns": (pattern,),
            "ledger": Ledger(lines=lines),
            "refusals": (
                Refusal(gate="support", reason=HOSTILE, claim=HOSTILE, session_id=_session().session_id),
            ),
            "refused": {"support": 1},
            "notes": (HOSTILE,),
            "coverage": base.coverage.model_copy(update={"failures": (HOSTILE,)}),
        }
    )


def _hostile_job(home: Home) -> None:
    job = Orchestration(
        job_id="job_bad", title=HOSTILE, task=HOSTILE, team=HOSTILE, workspace=HOSTILE, mode="live", status="partial",
        detail=HOSTILE, result=HOSTILE,
    )  # fmt: skip
    home.state.begin_job(job, base_id="b", request="{}")
    name = f"<b>t</b>{HIDDEN}"
    home.state.open_thread(Thread(thread_id=name, job_id="job_bad", agent=HOSTILE))
    home.state.put_turn(
        ThreadTurn(
            job_id="job_bad", thread_id=name, number=0, order=SubTask(subtask_id="s", agent=HOSTILE, task=HOSTILE),
            status="ended", ending="partial", detail=HOSTILE, report=HOSTILE, missing=(HOSTILE,), started_at=DAY,
            ended_at=DAY, changes=(FileChange(path=HOSTILE, kind="created"),), session_id=_session().session_id,
        )
    )  # fmt: skip
    home.state.post("job_bad", Message(seq=0, from_thread=name, to_thread="lead", text=HOSTILE, at=DAY))


def _hostile_outcome(home: Home, workspace: Path) -> None:
    request: OutcomeRequest = make_request(
        HOSTILE,
        rubric=EXAMPLES / "outcome" / "rubric.md",
        agent=EXAMPLES / "outcome" / "writer.md",
        workspace=workspace,
    )
    criterion = request.rubric.criteria[0].criterion_id
    result = CriterionResult(
        criterion_id=criterion, met="unmet", judging="judge", reason=HOSTILE, needed=HOSTILE,
        evidence=(Evidence(path=HOSTILE, start_line=1, text=HOSTILE),),
    )  # fmt: skip
    outcome = Outcome(
        outcome_id="outc_bad", description=HOSTILE, rubric_sha256="x", agent=HOSTILE, workspace=HOSTILE,
        result="stopped", stop_reason="no_change", explanation=HOSTILE,
        attempts=(Attempt(outcome_id="outc_bad", iteration=0, end="failed", detail=HOSTILE, started_at=DAY),),
        evaluations=(
            Evaluation(
                outcome_id="outc_bad", iteration=0, result="needs_revision", score=0.5, criteria=(result,),
                regressions=(criterion,), explanation=HOSTILE,
            ),
        ),
    )  # fmt: skip
    home.state.begin_outcome(outcome, base_id="b", request=request.model_dump_json())
