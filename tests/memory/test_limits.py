"""The hosted API's limits, checked before anything is written."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.errors import LimitError
from agentflows.memory import (
    MAX_DESCRIPTION_CHARS,
    MAX_MEMORY_BYTES,
    check_content,
    check_description,
    check_name,
    check_path,
    sha256,
    tree_sha256,
    tree_sha256_of,
)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("notes.md", "start with"),
        ("", "start with"),
        ("/", "empty"),
        ("/a//b", "empty"),
        ("/a/", "empty"),
        ("/a/../b", "'..'"),
        ("/./a", "'.'"),
        ("/" + "/".join("a" * 21), "21 segments"),
        ("/" + "a" * 1024, "1024 bytes"),
        ("/" + "é" * 512, "1024 bytes"),
        ("/e\u0301.md", "NFC"),
        ("/a\nb", "control"),
        ("/a\u200bb", "control"),
        ("/a\u2028b", "control"),
        ("/\ud800", "control"),
    ],
)
def test_a_path_the_hosted_api_refuses_is_refused_here(path: str, why: str):
    """A store that fits here can be moved there."""
    with pytest.raises(LimitError, match=why):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["/a", "/A/b c/ü.md", "/" + "/".join("a" * 20), "/" + "a" * 1023, "/...", "/日本.md"]
)
def test_a_path_the_hosted_api_takes_is_taken(path: str):
    """Limits are limits, not taste."""
    assert check_path(path) == path


def test_a_memory_holds_as_many_bytes_as_the_hosted_one():
    """Bytes, not characters; the empty memory is allowed."""
    assert check_content("/a", "") == ""
    assert check_content("/a", "é" * (MAX_MEMORY_BYTES // 2))
    with pytest.raises(LimitError, match=r"102,402 bytes.*Split it"):
        check_content("/a", "é" * (MAX_MEMORY_BYTES // 2 + 1))
    with pytest.raises(LimitError, match="surrogate"):
        check_content("/a", "x\ud800")


def test_names_and_descriptions_have_the_hosted_limits():
    """A description goes into agents' system prompts: it is bounded and plain."""
    assert check_name("n" * 255) == "n" * 255
    for name in ["", "  ", "n" * 256, "a\nb", "a\ud800", " a", "a "]:
        with pytest.raises(LimitError):
            check_name(name)
    assert check_description("d" * MAX_DESCRIPTION_CHARS)
    for description in ["d" * (MAX_DESCRIPTION_CHARS + 1), "a\x00b", "a\ud800"]:
        with pytest.raises(LimitError):
            check_description(description)


@given(st.text())
def test_content_sha256_is_over_the_raw_bytes(text: str):
    """Whoever has the file can compute it; nothing is normalised."""
    assert sha256(text) == hashlib.sha256(text.encode()).hexdigest()


@given(st.dictionaries(st.text(), st.text(), max_size=5), st.text(), st.text())
def test_the_tree_sha256_tells_trees_apart(files: dict[str, str], path: str, content: str):
    """Order does not matter; any other path or content does."""
    assert tree_sha256(dict(reversed(files.items()))) == tree_sha256(files)
    assert tree_sha256_of({name: sha256(text) for name, text in files.items()}) == tree_sha256(files)
    other = {**files, path: content}
    assert (tree_sha256(other) == tree_sha256(files)) == (other == files)
