"""A secret without a format of its own is known by what stands before it: a name, a header, an option."""

import json
import secrets

import pytest

from agentflows.redaction import Redactor

WORD = "Tr0ub" + "4dor-" + secrets.token_hex(3)
"""A password as people choose them."""
DRAWN = "k7Qz" + secrets.token_hex(12) + "Xw9"
"""A token as machines draw them."""
PASSWORDS = [
    "DB_PASSWORD={}",
    "DB_PASSWORD_PROD={}",
    "db-password-staging-eu: {}",
    'POSTGRES_PW="{}"',
    "mysql -u root -p{} shop",
    "sshpass -p {} ssh host",
    "sshpass -p '{}' ssh host",
    "redis-cli -h cache -a {} ping",
    "docker login -u me -p {} registry.test",
    '[{{"name": "DB_PASSWORD", "value": "{}"}}]',
    "env:\n  - name: DB_PASSWORD\n    value: {}\n",
]
TOKENS = [
    "SECRET_KEY_BASE={}",
    "JWT_SECRET_CURRENT={}",
    "STRIPE_SECRET_LIVE={}",
    "API_KEY_V2: {}",
    'config["api_key_backup"] = "{}"',
    "Cookie: theme=dark; session={}; lang=en",
    "set-cookie: sid={}; HttpOnly",
    "curl -H 'Cookie: sid={}' http://shop.test",
    '{{"name": "API_TOKEN", "value": "{}"}}',
]


@pytest.mark.parametrize(
    ("form", "value"),
    [*((form, WORD) for form in PASSWORDS), *((form, DRAWN) for form in TOKENS)],
    ids=[*PASSWORDS, *TOKENS],  # the values are drawn anew in each process, and the names of tests may not be
)
def test_the_name_before_it_gives_a_secret_away(form: str, value: str):
    """In a file of settings, in a header, on a command line; and the rest of the text stays."""
    redactor = Redactor(b"key")
    text = form.format(value)
    redacted = redactor.redact(text)
    assert value not in redacted
    assert "[REDACTED:" in redacted
    assert redactor.redact(redacted) == redacted
    before, after = text.split(value)
    assert redacted.startswith(before)
    assert redacted.endswith(after)


def test_two_cookies_of_one_header_go_together():
    """The second is no less a session than the first."""
    other = DRAWN[::-1]
    redacted = Redactor(b"key").redact(f"Cookie: a={DRAWN}; theme=dark; b={other}")
    assert DRAWN not in redacted
    assert other not in redacted


@pytest.mark.parametrize(
    "value",
    [
        {"passwords": [WORD, WORD + "x"]},
        {"DB_PASSWORD_PROD": WORD},
        {"env": [{"name": "DB_PASSWORD", "value": WORD}]},
        {"variables": [{"key": "API_TOKEN_CI", "value": DRAWN, "masked": True}]},
        {"headers": [{"name": "Cookie", "value": f"sid={DRAWN}"}]},
        {"headers": {"Set-Cookie": f"sid={DRAWN}; Path=/"}},
    ],
)
def test_decoded_fields_go_by_the_same_names(value: object):
    """Also where the name is a value itself, and where one name has many values."""
    redacted = json.dumps(Redactor(b"key").redact_value(value))
    assert WORD not in redacted
    assert DRAWN not in redacted
    assert "[REDACTED:" in redacted


@pytest.mark.parametrize(
    "text",
    [
        "password_hash = 'pbkdf2$" + "a1b2c3d4e5' ",
        "secret_name: prod-db-x7f2k9q4m1z8c3v6",
        "TOKEN_FILE=run4secrets7x9k2m5q8w1z3",
        "access_token_expires_at: 2026-10-01T10:00:00Z",
        "password_policy: min8-upper1",
        "token_type=x7f2k9q4m1z8c3v6b5n0",
        "secret_key_id: x7f2k9q4m1z8c3v6b5n0",
        "Cookie: theme=dark; lang=en-GB; consent=2026-10-01",
        "mysql -u root --port=3306 -h db1 shop2",
        "mkdir -p build2/out1 && docker login registry.test",
        "git config credential.helper store; the cookie: a small file2, kept by browsers",
    ],
)
def test_what_is_only_said_about_a_secret_stays(text: str):
    """A hash, a path, a type, a setting of a page."""
    assert Redactor(b"key").redact(text) == text
