"""Verdicts for scripts: what an honest judge that has nothing against a change answers a dream's refutation."""

import re
from typing import Any

from agentflows.testing.scripts import FakeRequest

_CLAIM = re.compile(r"\u27e6claim (\d+)\u27e7")
_TEXT = re.compile(r"\u27e6(?:source|entry) [^\u27e7]*\u27e7\n([^\n\u27e6]+)")


def upholding(request: FakeRequest) -> dict[str, Any] | None:
    """Every claim supported, by the first line of a source or entry; None where the request asks for no verdict.

    fake.script(lambda request: upholding(request) or minimal_reply(request))
    """
    if "claims" not in ((request.schema or {}).get("properties") or {}):
        return None
    material = request.last_text
    lines = [line.strip() for line in _TEXT.findall(material)]
    words = max(lines, key=lambda line: len(line.split()), default="")
    return {
        "claims": [
            {"claim": int(number), "words": words, "why": "It stands there.", "verdict": "supported"}
            for number in _CLAIM.findall(material)
        ]
    }
