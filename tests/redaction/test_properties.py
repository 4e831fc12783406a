"""What holds for every text: redacting twice is redacting once, and findings point at what goes."""

import re
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.redaction import Redactor

PLACEHOLDER = re.compile(r"\[REDACTED:[a-z0-9-]+:[0-9a-f]{8}\]")
TOKEN = "gh" + "p_" + "a1B2" * 9
PIECES = [
    TOKEN,
    TOKEN[:20],
    TOKEN[20:],
    "\u200b",
    "\\n",
    '\\"',
    "\\\\",
    "\n   ",
    "password = ",
    "hunt" + "er2!x",
    '"',
    "ann.lee" + "@corp.org",
    "https://bob:" + "pa55" + "word@host.example/x",
    "Bearer ",
    "x9Kd83hfKs02mdkE77s",
    "4111 1111 1111 " + "1111",
    "DE89 3704 0044 0532 0130 00",
    "-----BEGIN " + "PRIVATE KEY-----\n" + "QUJD" * 20 + "\n",
    "-----END " + "PRIVATE KEY-----",
    "Z2hwX2ExQjJhMUIyYTFCMmExQjJhMUIyYTFCMmExQjJhMUIyYTFCMg==",
    "[REDACTED:email:0123abcd]",
    "[REDACTED:",
    "é€😀",
    "\ud800",
    " and ",
    ": ",
    "secret_key: ",
]
REDACTOR = Redactor(b"a key of this test", ["own-secret-0123456789"])

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=12).map("".join)

surroundings = st.lists(st.sampled_from(PIECES[3:]) | st.text(max_size=12), max_size=12).map("".join)
"""The same without pieces of the token: one glued to another has no border by which to know it."""


@settings(max_examples=400, deadline=None)
@given(texts)
def test_redacting_twice_is_redacting_once(text: str):
    """Ingest, prompt and commit each redact: a text must settle at the first."""
    once = REDACTOR.redact(text)
    assert REDACTOR.redact(once) == once
    assert REDACTOR.scan(once) == []


@settings(max_examples=400, deadline=None)
@given(texts)
def test_findings_are_ordered_apart_and_within_the_text(text: str):
    """Whoever blocks a commit shows the place: it must be the right one, and never a placeholder."""
    findings = REDACTOR.scan(text)
    position = 0
    for finding in findings:
        assert position <= finding.start < finding.end <= len(text)
        assert not PLACEHOLDER.search(text, finding.start, finding.end)
        position = finding.end
    assert bool(findings) == (REDACTOR.redact(text) != text)


@settings(max_examples=200, deadline=None)
@given(surroundings, surroundings)
def test_a_token_between_blanks_never_survives(before: str, after: str):
    """Whatever stands around it, a documented token with blanks about it is seen."""
    assert TOKEN not in REDACTOR.redact(f"{before} {TOKEN} {after}")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_text_without_finds_stays_as_it_is(text: str):
    """Redaction may only ever change what it reports."""
    if not REDACTOR.scan(text):
        assert REDACTOR.redact(text) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just("password"), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_a_value_keeps_its_shape_and_settles(value: object):
    """Only strings change; readers find the fields where they were."""
    once = REDACTOR.redact_value(value)
    assert REDACTOR.redact_value(once) == once
    assert shape(once) == shape(value)


def shape(value: Any) -> object:
    if isinstance(value, dict):
        return [shape(item) for item in cast("dict[str, Any]", value).values()]
    if isinstance(value, list):
        return [shape(item) for item in cast("list[Any]", value)]
    return "text" if isinstance(value, str) else value
