"""A secret that is written otherwise is the same secret, and its original characters are what goes."""

import base64
import json
import random
from collections.abc import Callable

import pytest

from agentflows.redaction import Redactor

ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def drawn(seed: int, length: int) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(ALNUM) for _ in range(length - 2)) + "K7"


SECRETS = {
    "github": "gh" + "p_" + drawn(1, 36),
    "anthropic": "sk-" + "ant-api03-" + drawn(2, 93) + "AA",
    "aws": "AK" + "IA" + "QWERTYUIOPASDF23",
    "slack": "xo" + "xb-123456789012-" + drawn(3, 24),
    "gitlab": "gl" + "pat-" + drawn(4, 20),
    "stripe": "sk" + "_live_" + drawn(5, 24),
    "email": "ada.lovelace" + "@analytical.org",
}


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(b"a key of this test")


def escaped(secret: str) -> str:
    return json.dumps(f'{{"value": "{secret}", "next": "a\tb"}}')


def escaped_thrice(secret: str) -> str:
    return json.dumps(json.dumps(escaped(secret)))


def as_code_points(secret: str) -> str:
    return '"' + "".join(f"\\u{ord(c):04x}" for c in secret) + '"'


def in_base64(secret: str) -> str:
    return base64.b64encode(f"[default]\nvalue = {secret}\nregion = north\n".encode()).decode()


def in_url_base64(secret: str) -> str:
    return base64.urlsafe_b64encode(f"{{'value': '{secret}', 'q': '???>>>'}}".encode()).decode().rstrip("=")


def in_base64_lines(secret: str) -> str:
    return base64.encodebytes(
        f"# a file that is long enough to be wrapped\nvalue = {secret}\nregion = north\n".encode()
    ).decode()


def in_base64_twice(secret: str) -> str:
    return base64.b64encode(in_base64(secret).encode()).decode()


def with_zero_width(secret: str) -> str:
    return "\u200b".join(secret)


def with_soft_hyphens(secret: str) -> str:
    return secret[:6] + "\u00ad" + secret[6:12] + "\ufeff" + secret[12:]


def full_width(secret: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) for c in secret)


def mathematical(secret: str) -> str:
    return "".join(chr(0x1D41A + ord(c) - 97) if c.islower() else c for c in secret)


@pytest.mark.parametrize(
    "write",
    [
        escaped,
        escaped_thrice,
        as_code_points,
        in_base64,
        in_url_base64,
        in_base64_lines,
        in_base64_twice,
        with_zero_width,
        with_soft_hyphens,
        full_width,
        mathematical,
    ],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_however_it_is_written(kind: str, write: Callable[[str], str], redactor: Redactor):
    """The written form goes from the original text, and what stands around it stays."""
    written = write(SECRETS[kind])
    redacted = redactor.redact(f"The tool said:\n{written}\nand ended.")
    assert "[REDACTED:" in redacted
    assert written not in redacted
    assert redacted.startswith("The tool said:\n")
    assert redacted.endswith("\nand ended.")
    assert redactor.scan(redacted) == []
    assert SECRETS[kind] not in redacted


@pytest.mark.parametrize("kind", ["github", "anthropic", "slack", "gitlab", "stripe"])
@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize("cut", [7, 12, 17, 20])
def test_a_token_that_a_terminal_wrapped_goes_whole(kind: str, indent: str, cut: int, redactor: Redactor):
    """A narrow terminal breaks a token over lines; each piece alone has no format."""
    secret = SECRETS[kind]
    pieces = [secret[:cut], *(secret[i : i + 30] for i in range(cut, len(secret), 30))]
    text = "key: " + f"\n{indent}".join(pieces) + " is what it printed"
    redacted = redactor.redact(text)
    assert "[REDACTED:" in redacted
    assert not any(piece in redacted for piece in pieces if len(piece) > 4)
    assert redacted.endswith(" is what it printed")


def test_a_whole_token_at_the_end_of_a_line_does_not_take_the_next(redactor: Redactor):
    """Most tokens simply end where their line ends."""
    for kind in ("github", "anthropic", "gitlab", "stripe"):
        redacted = redactor.redact(f"export KEY={SECRETS[kind]}\npytest -q\nThen 12 passed")
        assert redacted.endswith("\npytest -q\nThen 12 passed")


def test_a_password_in_escaped_json_goes_and_the_json_stays_valid(redactor: Redactor):
    """Tool results are often JSON inside JSON; what reads them later must still be able to."""
    inner = json.dumps({"user": "app", "password": "s3cr" + "et!pass", "port": 5432})
    outer = json.dumps({"output": inner})
    redacted = json.loads(json.loads(redactor.redact(outer))["output"])
    assert redacted["password"].startswith("[REDACTED:password:")
    assert (redacted["user"], redacted["port"]) == ("app", 5432)


def test_own_secrets_are_found_in_every_view():
    """What we hold must not leave in base64 either."""
    own = "correct-horse-battery-staple"
    redactor = Redactor(b"key", [own])
    for write in (escaped, as_code_points, in_base64, with_zero_width, full_width, in_base64_lines):
        redacted = redactor.redact(write(own))
        assert "[REDACTED:own-secret:" in redacted
        assert own not in redacted


def test_hexadecimal_and_spelled_out_secrets_are_not_found(redactor: Redactor):
    """The documented limit: if this fails, the limit has moved and the documentation must say so."""
    secret = SECRETS["github"]
    for written in (secret.encode().hex(), " ".join(secret)):
        assert redactor.redact(written) == written
