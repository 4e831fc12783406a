"""Stamp: the notes that a learned entry ends in: what it rests on, `(said in 3 sessions, last on 2026-02-18)`, and what it said before."""

import re

_STAMP = re.compile(
    r"\s*\((?:seen|said|asked) in \d+ sessions?(?: from \d+ sources?)?(?:, last on \d{4}-\d\d-\d\d)?\)"
)
_BEFORE = re.compile(
    r"\s*\((?:(?:until|no longer since) \d{4}-\d\d-\d\d: .*|before: .*|since (?:\d{4}-\d\d-\d\d|then); before, it was said otherwise)\)\.?\s*\Z"
)


def without_stamp(text: str) -> str:
    """A text without its count of sessions, whose numbers and day are no part of what it says."""
    return _STAMP.sub("", text)


def current(text: str) -> str:
    """What a text says now: without its count of sessions, and without what it said until another took its place."""
    return _BEFORE.sub("", without_stamp(text))
