"""Equal errors have equal signatures; different errors do not."""

from hypothesis import given
from hypothesis import strategies as st

from agentflows.signature import error_line, error_signature, exit_code, failing_step
from agentflows.signature.failure import MAX_SIGNATURE_CHARS


def test_wrappers_colours_and_exit_codes_say_nothing():
    """The harness wraps the same error in different ways."""
    plain = "error: unrecognized subcommand 'foo'\n\nUsage: tool [OPTIONS]"
    wrapped = f"<tool_use_error>Exit code 2\n\x1b[31m{plain}\x1b[0m</tool_use_error>"
    assert error_signature(wrapped) == error_signature(plain) == "error: unrecognized subcommand <str>"


def test_paths_numbers_and_names_are_placeholders():
    """The same error strikes another file, line and amount every time."""
    one = error_signature("src/app/a.ts(236,2): error TS2322: Type 'A' is not assignable to type 'B'.")
    two = error_signature("lib/b.ts(9,14): error TS2322: Type 'X<Y>' is not assignable to type 'Z'.")
    assert one == two == "<path>: error TS2322: Type <str> is not assignable to type <str>."
    assert error_signature("Error: price is 615, but paid 600") == "Error: price is <n>, but paid <n>"
    assert error_signature("Error: flight HAT170 not available on date 2024-05-22") == (
        "Error: flight <id> not available on date <date>"
    )


def test_error_codes_tell_errors_apart():
    """TS2322 and TS2554 need different fixes."""
    assert error_signature("a.ts(1,2): error TS2322: bad") != error_signature("a.ts(1,2): error TS2554: bad")


def test_the_line_that_names_the_failure_is_chosen():
    """Test runners print pages before the line that matters."""
    text = "runner v1.3.5\n[log] Task 3 failed quietly\nsrc/a.test.ts:\n(fail) sums > adds [2ms]\n 1 fail"
    start, end = error_line(text)
    assert text[start:end] == "(fail) sums > adds [2ms]"


def test_a_traceback_is_known_by_its_exception():
    """The first line of every traceback is the same."""
    text = "Traceback (most recent call last):\n  File \"/a/b.py\", line 3, in f\n    x()\nKeyError: 'name'\n"
    assert error_signature(text) == "KeyError: <str>"


def test_the_step_that_failed_is_the_last_one_echoed():
    """A hook runs test, lint and type check; only the last one printed can have failed."""
    text = "Exit code 1\n$ bun test src/\n 12 pass\n$ checker check --strict\n× bad format"
    assert failing_step(text) == "checker check"
    assert failing_step("bash: foo: command not found") == ""


def test_nothing_said_has_no_signature():
    """A grep without a match is an exit code and nothing else."""
    assert error_signature("Exit code 1\n") == ""
    assert error_line("") == (0, 0)


@given(st.text(max_size=400))
def test_any_text_has_a_short_stable_signature(text: str):
    """Tool output is anything at all."""
    signature = error_signature(text)
    assert len(signature) <= MAX_SIGNATURE_CHARS
    assert "\n" not in signature
    assert error_signature(text) == signature
    start, end = error_line(text)
    assert 0 <= start <= end <= len(text)


def test_an_exit_code_stands_first_or_last():
    """In between, a program talks about another."""
    assert exit_code("Exit code 2\nboom") == 2
    assert exit_code("boom\n[exit code 127]\n") == 127
    assert exit_code("ok\nProcess exited with code 0") == 0
    assert exit_code("boom\nExit code 2\nmore") is None
    assert exit_code("failed 3") is None
    assert exit_code("") is None


def test_a_line_that_only_shouts_is_passed_over():
    """`FAIL` above the error says nothing that the error does not."""
    assert error_signature("FAIL\nError: Cannot find module 'x'") == "Error: Cannot find module <str>"
    assert error_signature("FAILED") == "FAILED"
