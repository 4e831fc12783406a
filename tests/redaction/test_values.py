"""Decoded JSON: every string is looked at, names say what has no format, and nothing gets lost."""

import pytest

from agentflows.errors import SettingsError
from agentflows.redaction import Redactor

KEY = b"a key of this test"


def test_a_field_named_password_goes_whole():
    """Decoded JSON has taken the name away from the value: the walk must bring them together."""
    redacted = Redactor(KEY).redact_value(
        {"env": [{"DB_PASSWORD": "hunt" + "er2!"}, {"apiKey": "a8Fk2LmQ0z" * 2}]}
    )
    assert redacted["env"][0]["DB_PASSWORD"].startswith("[REDACTED:password:")
    assert redacted["env"][1]["apiKey"].startswith("[REDACTED:secret:")


def test_a_named_field_keeps_the_kind_of_its_format():
    """A documented format says more than the field's name."""
    token = "gl" + "pat-" + "x8Kd02mfLq" * 2
    redactor = Redactor(KEY)
    assert redactor.redact_value({"token": token}) == {"token": redactor.redact(token)}
    assert set(redactor.counts) == {"gitlab-token"}


@pytest.mark.parametrize(
    "field",
    [
        {"password": "string"},
        {"password": "Must be at least 8 characters long"},
        {"token": "page-token-of-the-list"},
        {"tokens": 120_000},
        {"max_tokens": "4096"},
        {"api_key": "your-api-key-here-123"},
        {"password": "process.env.PASSWORD"},
        {"secret": "${{ secrets.DEPLOY_KEY_2 }}"},
        {"sessionId": "93db84f8-1b8c-499a-9692-1865cb6f9160"},
    ],
)
def test_a_named_field_without_a_secret_stays(field: dict[str, object]):
    """Schemas, messages, counts and templates carry these names too."""
    assert Redactor(KEY).redact_value(field) == field


def test_names_are_redacted_and_no_value_is_lost():
    """Two spellings of one secret as names become one placeholder; both values must stay."""
    mail = "ann.lee" + "@corp.org"
    wide = "".join(chr(ord(c) + 0xFEE0) for c in mail)
    redacted = Redactor(KEY).redact_value({mail: 1, wide: 2, "n": [mail]})
    assert sorted(redacted.values(), key=str)[:2] == [1, 2]
    assert not any(mail in name for name in redacted)
    assert redacted["n"][0].startswith("[REDACTED:email:")


def test_other_values_pass_unchanged():
    """Numbers, truth values and nulls are no text."""
    value = {"a": [1, 2.5, None, True], "b": {"c": "plain"}}
    assert Redactor(KEY).redact_value(value) == value


def test_a_repeated_text_is_counted_each_time():
    """Remembering clean strings must not change what is counted."""
    redactor = Redactor(KEY)
    text = "x" * 500 + " ann.lee" + "@corp.org"
    redactor.redact_value([text, text, "clean " * 100, "clean " * 100])
    assert redactor.counts == {"email": 2}


def test_a_wrong_use_says_what_to_do():
    """A missing key or an unknown kind must not pass for "nothing found"."""
    with pytest.raises(SettingsError, match="key"):
        Redactor(b"")
    with pytest.raises(SettingsError, match="postal"):
        Redactor(KEY, pii=("email", "postal"))


def test_ip_addresses_go_only_when_asked_for():
    """In transcripts of code they are mostly version numbers and local hosts."""
    text = "from 8.8.4.4 to 127.0.0.1 with version 1.2.3.4000"
    assert Redactor(KEY).redact(text) == text
    assert Redactor(KEY, pii=("ip",)).scan(text)[0].kind == "ip"
    assert "127.0.0.1" in Redactor(KEY, pii=("ip",)).redact(text)
