"""An error of a flow tells what is wrong and no secret."""

import copy
import inspect
import random
import traceback

import pytest

from agentflows.errors import AgentflowsError, DreamError, ModelError, NotFoundError, RubricError, kind_of
from agentflows.scrubbing import scrubbed, without_secrets
from tests.redaction.test_kinds import SECRETS

SECRET = SECRETS["anthropic"][0](random.Random(1))


def raised(error: Exception) -> Exception:
    """What comes out of a scrubbed function that raises `error`."""

    @scrubbed
    def work() -> None:
        raise error

    with pytest.raises(Exception) as found:  # noqa: PT011 - any
        work()
    return found.value


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(vars(error))


def test_an_error_without_a_secret_is_the_same_error():
    """With its cause and its traceback: nothing is lost where nothing has to be."""
    error = DreamError("The archive is empty. Run `agentflows ingest` first.")
    error.__cause__ = ValueError("nothing there")
    assert raised(error) is error
    assert "nothing there" in told(error)


def test_one_of_ours_keeps_its_kind_its_words_and_what_it_carries():
    """Code branches on these, and the command line prints one line."""
    error = ModelError(f"The endpoint refused the key {SECRET}. Set another.")
    error.status, error.request_id = 401, f"req {SECRET}"
    clean = raised(error)
    assert isinstance(clean, ModelError)
    assert clean.status == 401
    assert str(clean).startswith("The endpoint refused the key [REDACTED:")
    assert SECRET not in told(clean)
    assert clean.exit_code == error.exit_code


def test_one_of_others_becomes_ours_and_says_its_kind():
    """Its class may keep the secret anywhere, so it does not go on."""
    clean = raised(OSError(2, "No such file", f"/tmp/{SECRET}"))
    assert type(clean) is AgentflowsError
    assert str(clean).startswith("FileNotFoundError: ")
    assert SECRET not in told(clean)


def test_a_secret_behind_an_error_goes_with_the_whole_chain():
    """A traceback prints causes, contexts, notes and groups too."""
    behind = [ValueError(SECRET), ExceptionGroup("some", [KeyError(SECRET)])]
    for cause in behind:
        error = NotFoundError("There is no such store.")
        error.__cause__ = cause
        assert SECRET not in told(raised(error))
        hidden = RubricError("Line 3 is no criterion.", line=3)
        hidden.__context__ = copy.copy(cause)
        clean = raised(hidden)
        assert SECRET not in told(clean)
        assert isinstance(clean, RubricError)
        assert clean.line == 3
    noted = NotFoundError("There is no such store.")
    noted.add_note(f"Was it {SECRET}?")
    assert SECRET not in told(raised(noted))


def test_a_chain_that_runs_in_a_circle_ends():
    """Python allows it."""
    first, second = ValueError("one"), ValueError("two")
    first.__context__, second.__context__ = second, first
    assert without_secrets(first) is first


def test_a_key_of_no_known_shape_is_known_by_its_value(monkeypatch: pytest.MonkeyPatch):
    """Keys of endpoints of one's own look like anything."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "plain-words-of-mine")
    assert "plain-words" not in told(raised(DreamError("refused: plain-words-of-mine")))


def test_a_broken_setting_does_not_hide_the_error(monkeypatch: pytest.MonkeyPatch):
    """It may be the very thing the error is about."""
    monkeypatch.setenv("AGENTFLOWS_CONCURRENCY", "many")
    assert str(raised(DreamError("said so"))) == "said so"


def test_what_stops_a_program_is_let_through():
    """Ctrl-C and a suspended run are no errors."""

    @scrubbed
    def work() -> None:
        raise KeyboardInterrupt(SECRET)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_scrubbed_function_looks_like_the_one_within():
    """Prefect makes forms of its signature and docstring."""

    def work(count: int = 3) -> int:
        """Count."""
        return count

    assert inspect.signature(scrubbed(work)) == inspect.signature(work)
    assert scrubbed(work).__doc__ == "Count."
    assert scrubbed(work)() == 3


def test_a_stored_result_says_the_kind_of_an_error_alone():
    """Prefect's own way is to pickle it."""
    assert kind_of(DreamError(SECRET)) == "DreamError"
