"""A scripted model for dreams: it learns two errors, takes every pattern in, and has nothing against it."""

from typing import Any

from agentflows.testing import FakeRequest, minimal_reply, upholding
from agentflows.testing.replies import Reply

NO_RULE = "make: *** No rule to make target 'test'.  Stop."
LINT = "✖ 1 problem (1 error, 0 warnings)"
QUOTES = {"tests": NO_RULE, "lint": LINT}


def kind_of(request: FakeRequest) -> str:
    """What is asked: a field of the answer."""
    fields = (request.schema or {})["properties"]
    known = ("observations", "pairs", "proposals", "claims", "after")
    return next(name for name in known if name in fields)


def answer(request: FakeRequest) -> dict[str, Any] | Reply:
    """The reply to any of a dream's questions."""
    kind = kind_of(request)
    if kind == "observations":
        found = [_lesson(name, text, request.last_text) for name, text in QUOTES.items()]
        return {"observations": [lesson for lesson in found if lesson], "suspicious": []}
    if kind == "after":
        claim = next(line for line in request.last_text.splitlines() if line.startswith("claim: "))
        return {
            "reason": "Sessions met it.", "op": "add", "entry_ids": [], "path": "/learned.md", "heading": "Errors",
            "after": f"- {claim.removeprefix('claim: ')}", "risks": [],
        }  # fmt: skip
    return upholding(request) or minimal_reply(request)


def _lesson(name: str, text: str, material: str) -> dict[str, Any] | None:
    at = material.find(text)
    if at < 0:
        return None
    label = material.rindex("⟦#", 0, at)
    seq = int(material[label + 2 :].split(maxsplit=1)[0])
    return {
        "quotes": [{"seq": seq, "text": text}], "kind": "error", "subject": name, "attribute": "how it fails",
        "scope": "", "claim": text, "when": "", "when_not": "", "stance": "for", "value": "", "said_outright": False,
    }  # fmt: skip
