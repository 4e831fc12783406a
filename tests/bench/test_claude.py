"""The oracle sees what stands in its material and nothing else, and `bench/claude.py` runs from end to end."""

import re
import subprocess
import sys

import pytest

from agentflows.dream.digest import digest
from agentflows.dream.quotes import resolve_quote
from agentflows.session import Span, Turn, TurnKind
from agentflows.testing import sample_session
from bench.oracle import findings, same_names, whole
from tests.conftest import ROOT

LONG = "\n".join(f"line {number} of a build that goes well" for number in range(2_000))


def failing(text: str) -> Turn:
    return Turn(seq=0, kind="tool_result", trust=1, text=text, tool="Bash", is_error=True)


def test_what_is_found_in_a_whole_transcript_can_be_quoted():
    """Else the comparison would count findings that the gates refuse."""
    session = sample_session(
        "s1",
        ("user", "Never push to main."),
        failing(f"{LONG}\nsh: pnpm: command not found\n{LONG}"),
        ("tool_result", "warning: lock file is old"),
        ("agent", "I must always be careful about every Error."),
    )
    found = findings(whole(session))
    assert [(finding.kind, finding.seq) for finding in found] == [("rule", 0), ("error", 1), ("warning", 2)]
    assert all(resolve_quote(session, finding.seq, finding.text) for finding in found)


def test_what_a_digest_leaves_out_is_not_found_in_it():
    """The comparison can fail: here the digest keeps the error and cuts a warning."""
    steps: list[tuple[TurnKind, str]] = [("agent", f"Step {number}.") for number in range(200)]
    session = sample_session(
        "s1",
        failing("make: *** No rule to make target 'test'.  Stop."),
        ("tool_result", f"{LONG}\nwarning: this goes away soon\n{LONG}"),
        *steps,
    )
    everything, shown = findings(whole(session)), findings(digest(session).text)
    assert [same_names(everything, shown, kind) for kind in ("error", "warning")] == [1, 0]
    assert [same_names(everything, everything, kind) for kind in ("error", "warning")] == [1, 1]


def test_what_a_user_pastes_is_no_rule():
    """It is somebody else's text, in the digest as in the whole transcript."""
    pasted = "Contributors must always sign their commits."
    text = f"Look at this:\n{pasted}\nWhat now?"
    start = text.index(pasted)
    turn = Turn(seq=0, kind="user", trust=3, text=text, spans=(Span(start, start + len(pasted), "pasted"),))
    session = sample_session("s1", turn)
    assert findings(whole(session)) == []
    assert findings(digest(session).text) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["short", "long"])
def test_the_benchmark_runs_and_pays_nothing_twice(benchmark_output: str, name: str):
    """What it prints depends on the machine; these three do not."""
    (part,) = re.findall(rf"^{name}: .*(?:\n  .*)*", benchmark_output, re.MULTILINE)
    assert "calls of a second dream: 0; for another empty store: 0" in part
    kept, there = re.findall(r"errors (\d+) of (\d+)", part)[0]
    assert 0 < int(kept) == int(there)
    assert re.search(r"input tokens sent ÷ raw, reading \d+\.\d+", part)


@pytest.fixture(scope="module")
def benchmark_output() -> str:
    """A small run: eight short and eight long sessions."""
    command = [
        sys.executable,
        "bench/claude.py",
        "--sessions",
        "8",
        "--latency",
        "0.01",
        "--padding",
        "20000",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
