"""An oracle for benchmarks: answers a dream's questions by rule, from nothing but the material it is shown.

It knows some error strings, the words of standing rules and the words of warnings, and reports every line that
holds one. What it finds in a digest and what it finds in the whole transcript can therefore be compared: a
line that was cut away is a finding that is lost.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentflows.dream.marks import mark, reveal
from agentflows.session import Session
from agentflows.testing import FakeRequest, upholding

Kind = Literal["error", "rule", "warning"]
"""What a finding is.

* `error`: a known error string in a result that its harness marked as failed
* `rule`: a user's own sentence that makes a standing rule
* `warning`: a warning in a result that did not fail, which a digest leaves out by design
"""

_LABEL = re.compile(r"^⟦#(\d+) (\w+)[^⟧]*⟧ ", re.MULTILINE)
_MARK = re.compile(r"⟦[^⟧]*⟧")
_KNOWN: dict[Kind, re.Pattern[str]] = {
    "error": re.compile(
        r"No rule to make target|String to replace not found|[Cc]onnection refused|ECONNREFUSED|prettier/prettier"
        r"|error TS\d{4}|Cannot find module|[Cc]ommand not found|No such file or directory|Permission denied"
        r"|has not been read yet|[Ff]ile does not exist|[Tt]imed? ?out|\b[A-Z]\w+(?:Error|Exception)\b"
    ),
    "rule": re.compile(r"\b(?:always|never|from now on|do not|don't|must|immer)\b", re.IGNORECASE),
    "warning": re.compile(r"\b(?:warn|warning|deprecated)\b", re.IGNORECASE),
}
_KIND_OF_LABEL: dict[str, Kind] = {"error": "error", "user": "rule", "result": "warning"}
_LONGEST_QUOTE = 400
_KIND_OF_LESSON = {"error": "error", "rule": "preference", "warning": "fact"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the material that says something."""

    kind: Kind
    name: str
    """What was recognised, and what two findings of the same lesson have in common."""
    seq: int
    text: str
    """The line, as it stands in the turn."""


def findings(material: str) -> list[Finding]:
    """Everything known in a digest or a whole transcript: rules, then errors, then warnings; each name once."""
    found: dict[tuple[Kind, str], Finding] = {}
    for kind, seq, line in _lines(material):
        for match in _KNOWN[kind].finditer(line):
            name = " ".join(line.lower().split()) if kind == "rule" else match.group()
            around = line[max(0, match.start() - _LONGEST_QUOTE // 2) : match.end() + _LONGEST_QUOTE // 2]
            found.setdefault((kind, name), Finding(kind, name, seq, around.strip()))
    order: list[Kind] = ["rule", "error", "warning"]
    return sorted(found.values(), key=lambda finding: order.index(finding.kind))


def _lines(material: str) -> Iterator[tuple[Kind, int, str]]:
    """The lines of users and results, word for word, with their turn; pastes and cuts end a line."""
    labels = list(_LABEL.finditer(material))
    ends = [label.start() for label in labels[1:]] + [len(material)]
    for label, end in zip(labels, ends, strict=True):
        kind = _KIND_OF_LABEL.get(label.group(2))
        if kind is None:
            continue
        text = material[label.end() : end]
        if kind == "rule":
            text = re.sub(r"⟦pasted, t1:⟧.*?⟦[^⟧]*past[^⟧]*⟧", "\n", text, flags=re.DOTALL)
        for piece in _MARK.sub("\n", text).split("\n"):
            yield kind, int(label.group(1)), piece


def whole(session: Session) -> str:
    """A session's whole transcript in the form of a digest, with nothing cut: what the oracle is compared on."""
    lines: list[str] = []
    for turn in session.turns:
        kind = {"tool_result": "error" if turn.is_error else "result", "tool_call": "call"}.get(
            turn.kind, turn.kind
        )
        text, at = "", 0
        for span in sorted(turn.spans, key=lambda span: span.start):
            kept = turn.is_error or span.kind == "pasted"  # the others are no words of the turn itself
            text += reveal(turn.text[at : max(at, span.start)])
            inner = reveal(turn.text[max(at, span.start) : max(at, span.end)])
            text += f"{mark('pasted, t1:')}{inner}{mark('end of paste')}" if kept else mark("left out")
            at = max(at, span.end)
        lines.append(f"{mark(f'#{turn.seq} {kind} t{turn.trust}')} {text}{reveal(turn.text[at:])}")
    return "\n".join(lines) + "\n"


# -- as a script for the fake endpoint ---------------------------------------------------------------


def answer(request: FakeRequest) -> dict[str, Any]:
    """The reply to any of a dream's questions, told apart by the schema asked for."""
    wanted: dict[str, Any] = (request.schema or {}).get("properties", {})
    if "observations" in wanted:
        limit = re.search(r"list at most (\d+) observations", request.text)
        found = findings(request.last_text)[: int(limit.group(1)) if limit else 8]
        return {"observations": [_lesson(finding) for finding in found], "suspicious": []}
    if "pairs" in wanted:
        return {"pairs": list(_verdicts(request.last_text))}
    if "proposals" in wanted:
        return {"proposals": []}
    verdicts = upholding(request)
    if verdicts:
        return verdicts
    if "entry_ids" in wanted:
        return _proposal(request.last_text)
    msg = f"expected one of a dream's five schemas, found {json.dumps(wanted)[:200]}"
    raise ValueError(msg)


def _lesson(finding: Finding) -> dict[str, Any]:
    return {
        "quotes": [{"seq": finding.seq, "text": finding.text}],
        "kind": _KIND_OF_LESSON[finding.kind],
        "subject": finding.name[:80],
        "attribute": "what is said about it",
        "scope": "",
        "claim": finding.text,
        "when": "",
        "when_not": "",
        "stance": "for",
        "value": "",
        "said_outright": finding.kind == "rule",
    }


def _verdicts(material: str) -> Iterator[dict[str, Any]]:
    """Two lessons are the same when they are about the same name."""
    for number, card in re.findall(r"⟦pair (\d+)⟧\n(.*?)(?=⟦pair |\Z)", material, re.DOTALL):
        about = re.findall(r"^about: (.*)$", card, re.MULTILINE)
        yield {
            "pair": int(number),
            "why": "the names they are about",
            "same": len(about) == 2 and len(set(about)) == 1,
        }


def _proposal(material: str) -> dict[str, Any]:
    claim = re.search(r"^claim: (.*)$", material, re.MULTILINE)
    text = claim.group(1).strip() if claim else ""
    return {
        "reason": "Several sessions met it.",
        "op": "add" if text else "nothing",
        "entry_ids": [],
        "path": "/found.md" if text else "",
        "heading": "Found" if text else "",
        "after": f"- {text}" if text else "",
        "risks": [],
    }


def same_names(first: Sequence[Finding], second: Sequence[Finding], kind: Kind) -> int:
    """How many of `first`'s findings of that kind `second` has too."""
    names = {finding.name for finding in second if finding.kind == kind}
    return sum(finding.kind == kind and finding.name in names for finding in first)
