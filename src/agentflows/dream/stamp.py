"""Stamp: the note that a learned entry ends in, `(said in 3 sessions, last on 2026-02-18)`: what it rests on, not what it says."""

import re

_STAMP = re.compile(
    r"\s*\((?:seen|said|asked) in \d+ sessions?(?: from \d+ sources?)?(?:, last on \d{4}-\d\d-\d\d)?\)"
)


def without_stamp(text: str) -> str:
    """A text without its count of sessions, whose numbers and day are no part of what it says."""
    return _STAMP.sub("", text)
