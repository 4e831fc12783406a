"""What the fake model answers in crash tests: the same for the same question, so that two runs can be compared.

Every question is also written down in the file that `ASKED` names, one line each, a field of the answer wanted
and a hash: that is how a test in another process counts what was asked, and what was asked twice.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from agentflows.testing import FakeRequest, upholding

ASKED = "AGENTFLOWS_TEST_ASKED"
"""The variable that names the file."""
_NO_RULE = "make: *** No rule to make target 'test'.  Stop."
_USER_TURN = re.compile(r"⟦#(\d+) user t3[^⟧]*⟧ ([^⟦]*)")
_RULE = re.compile(r"(?:Always|Never|From now on,)[^.\n]*\.|never[^.\n]*\.")


def answer(request: FakeRequest) -> dict[str, Any]:
    """The reply to any of a dream's five questions."""
    fields: dict[str, Any] = (request.schema or {})["properties"]
    asked = json.dumps([request.body["system"], request.body["messages"], request.schema], sort_keys=True)
    with Path(os.environ[ASKED]).open("a", encoding="ascii") as file:
        file.write(f"{min(fields)}:{hashlib.sha256(asked.encode()).hexdigest()}\n")
    if "observations" in fields:
        return {"observations": _lessons(request.text), "suspicious": []}
    if "pairs" in fields:
        numbers = re.findall(r"⟦pair (\d+)⟧", request.text)
        return {"pairs": [{"pair": int(number), "why": "same rule", "same": True} for number in numbers]}
    verdicts = upholding(request)
    if verdicts:
        return verdicts
    if "proposals" in fields:
        return {"proposals": [_flag(request.text)]}
    return _addition(request.text)


def _lessons(material: str) -> list[dict[str, Any]]:
    found = [
        # half of the sessions use another name for it, so that the model is asked whether both are one
        _lesson(int(seq), rule, "preference", "amounts" if int(seq) > 12 else "amounts of money")
        for seq, text in _USER_TURN.findall(material)
        for rule in _RULE.findall(text)
    ]
    broken = re.search(r"⟦#(\d+) [^⟧]*⟧[^⟦]*" + re.escape(_NO_RULE), material)
    if broken:
        found.append(_lesson(int(broken[1]), _NO_RULE, "error", "make test"))
    return found[:8]


def _lesson(seq: int, text: str, kind: str, subject: str) -> dict[str, Any]:
    claim = "There is no make target 'test'." if kind == "error" else text
    names = {"kind": kind, "subject": subject, "attribute": " ".join(text.split()[:4]), "scope": ""}
    rest = {"when": "", "when_not": "", "stance": "for", "value": "", "said_outright": kind == "preference"}
    return {"quotes": [{"seq": seq, "text": text}], **names, "claim": claim, **rest}


def _flag(material: str) -> dict[str, Any]:
    group = material[material.index("⟦nomination 2") :]
    ids = re.findall(r"⟦entry (\S+)", group)
    return {"nomination": 2, "reason": "They differ.", "op": "flag", "entry_ids": ids[:2], "after": ""}


def _addition(material: str) -> dict[str, Any]:
    claim = re.findall(r"^claim: (.*)$", material, re.MULTILINE)[-1]
    place: dict[str, Any] = {"entry_ids": [], "path": "/learned.md", "heading": "Learned"}
    return {"reason": "Said outright.", "op": "add", **place, "after": f"- {claim}", "risks": []}
