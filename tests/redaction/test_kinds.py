"""Every kind, planted in ordinary text. The secrets are drawn at run time, so that no scanner finds one in this file."""

import base64
import json
import random
import string
from collections.abc import Callable

import pytest

from agentflows.redaction import Redactor

LOWER, DIGITS = string.ascii_lowercase, string.digits
ALNUM = string.ascii_letters + DIGITS
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
UPPER32 = string.ascii_uppercase + "234567"
EACH = 40


def drawn(rng: random.Random, alphabet: str, length: int) -> str:
    """Random characters, with a digit and a capital among them as issuers' tokens nearly always have."""
    text = "".join(rng.choice(alphabet) for _ in range(length - 3))
    return text + "".join(c for c in "aK7" if c in alphabet)[: length - len(text)].ljust(3, alphabet[-1])


def jwt(rng: random.Random) -> str:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    claims = json.dumps({"sub": drawn(rng, DIGITS, 10), "admin": True})
    return f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{part(claims)}.{drawn(rng, URLSAFE, 43)}"


def pem(rng: random.Random) -> str:
    body = "\n".join(drawn(rng, ALNUM + "+/", 64) for _ in range(6))
    label = rng.choice(["RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "]) + "PRIVATE" + " KEY"
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"


def password(rng: random.Random) -> str:
    return drawn(rng, LOWER, 5) + rng.choice("!#$%&*@") + drawn(rng, DIGITS, 4)


def card(rng: random.Random) -> str:
    digits = (rng.choice(["4", "51", "2720"]) + "".join(rng.choice(DIGITS) for _ in range(14)))[:15]
    total = sum(sum(divmod(int(d) * 2, 10)) for d in digits[::-2]) + sum(int(d) for d in digits[-2::-2])
    digits += str(-total % 10)
    return rng.choice(["", " ", "-"]).join(digits[i : i + 4] for i in range(0, 16, 4))


def iban(rng: random.Random) -> str:
    country, length = rng.choice([("DE", 18), ("AT", 16), ("ES", 20)])
    account = "".join(rng.choice(DIGITS) for _ in range(length))
    check = 98 - int("".join(str(int(c, 36)) for c in f"{account}{country}00")) % 97
    code = f"{country}{check:02d}{account}"
    return code if rng.random() < 0.5 else " ".join(code[i : i + 4] for i in range(0, len(code), 4))


def basic(rng: random.Random) -> str:
    return base64.b64encode(f"deploy:{password(rng)}".encode()).decode()


Maker = Callable[[random.Random], str]

# kind → (the secret, the words around it; `%` marks its place)
SECRETS: dict[str, tuple[Maker, str]] = {
    "aws-access-key-id": (
        lambda r: "AK" + "IA" + "".join(r.choice(UPPER32) for _ in range(16)),
        "aws configure: %",
    ),
    "aws-secret": (lambda r: drawn(r, ALNUM + "+/", 40), "AWS_SECRET_ACCESS_KEY=%"),
    "gcp-api-key": (lambda r: "AI" + "za" + drawn(r, URLSAFE, 35), "maps loads with ?key=%&v=3"),
    "gcp-oauth": (lambda r: "ya" + "29." + drawn(r, URLSAFE, 60), "gcloud printed %"),
    "azure-key": (lambda r: drawn(r, ALNUM + "+/", 86) + "==", "AccountName=x;AccountKey=%;EndpointSuffix=y"),
    "github": (lambda r: "gh" + r.choice("pousr") + "_" + drawn(r, ALNUM, 36), "git clone with %, please"),
    "github-fine": (
        lambda r: "github" + "_pat_" + drawn(r, ALNUM, 22) + "_" + drawn(r, ALNUM, 59),
        "GH_TOKEN: %",
    ),
    "gitlab": (lambda r: "gl" + "pat-" + drawn(r, URLSAFE, 20), 'headers={"PRIVATE-TOKEN": "%"}'),
    "slack": (
        lambda r: "xo" + "xb-" + drawn(r, DIGITS, 12) + "-" + drawn(r, ALNUM, 24),
        "the bot uses % in prod",
    ),
    "slack-webhook": (
        lambda r: (
            "hooks.slack"
            ".com/services/T" + drawn(r, ALNUM, 9) + "/B" + drawn(r, ALNUM, 9) + "/" + drawn(r, ALNUM, 24)
        ),
        "curl -X POST https://%",
    ),
    "stripe": (
        lambda r: r.choice("rs") + "k_" + r.choice(["live", "test"]) + "_" + drawn(r, ALNUM, 24),
        "charge with %.",
    ),
    "anthropic": (lambda r: "sk-" + "ant-api03-" + drawn(r, URLSAFE, 93) + "AA", "export ANTHROPIC=%\n"),
    "openai": (lambda r: "sk-" + "proj-" + drawn(r, URLSAFE, 74), "client = OpenAI(%)"),
    "openai-old": (lambda r: "sk-" + drawn(r, ALNUM, 48), "it printed %"),
    "huggingface": (
        lambda r: "hf" + "_" + "".join(r.choice(string.ascii_letters) for _ in range(34)),
        "huggingface-cli login %",
    ),
    "npm": (lambda r: "npm" + "_" + drawn(r, ALNUM, 36), "//registry/:_authToken=%"),
    "pypi": (lambda r: "pypi" + "-AgEIcHlwaS5vcmc" + drawn(r, URLSAFE, 150), "twine upload -p %"),
    "jwt": (jwt, "the cookie is %; path=/"),
    "pem": (pem, "cat id_rsa\n%\ndone"),
    "url-password": (password, "DATABASE_URL=postgres://app:%@db.internal:5432/app"),
    "bearer": (lambda r: drawn(r, ALNUM, 32), "-H 'Authorization: Bearer %'"),
    "basic": (basic, "Authorization: Basic %"),
    "password-assigned": (password, 'db_password = "%"'),
    "password-yaml": (password, "  password: %\n  user: app"),
    "password-prose": (password, "the admin password is %, do not share it"),
    "password-flag": (password, "mysql -h db --password=% app"),
    "api-key": (lambda r: drawn(r, ALNUM, 32), "const cfg = { apiKey: '%' }"),
    "secret-json": (lambda r: drawn(r, HEX, 40), '{"client_secret": "%", "n": 1}'),
    "sendgrid": (lambda r: "SG" + "." + drawn(r, URLSAFE, 22) + "." + drawn(r, URLSAFE, 43), "mail key %"),
    "telegram": (lambda r: drawn(r, DIGITS, 10) + ":AA" + drawn(r, URLSAFE, 33), "bot %"),
    "datadog (borrowed)": (lambda r: drawn(r, LOWER + DIGITS, 40), "datadog_thing = %\n"),
    "digitalocean (borrowed)": (lambda r: "dop" + "_v1_" + drawn(r, HEX, 64), "doctl auth %\n"),
    "email": (
        lambda r: f"{drawn(r, LOWER, 6)}.{drawn(r, LOWER, 5)}@{drawn(r, LOWER, 7)}.org",
        "reply to %, thanks",
    ),
    "phone": (lambda r: f"+49 {drawn(r, DIGITS, 3)} {drawn(r, DIGITS, 7)}", "call me: %"),
    "card": (card, "paid with %, expires 12/29"),
    "iban": (iban, "transfer to % today"),
    "ssn": (lambda r: f"{r.randint(100, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}", "SSN % on file"),
}


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(b"a key of this test")


@pytest.mark.parametrize("kind", SECRETS)
def test_no_planted_secret_survives(kind: str, redactor: Redactor):
    """Each kind, 40 times, in the sentence where it usually stands; nothing around it may go."""
    make, sentence = SECRETS[kind]
    rng = random.Random(kind)
    for _ in range(EACH):
        secret = make(rng)
        before, after = sentence.split("%")
        redacted = redactor.redact(f"Ran it again. {before}{secret}{after} Then 12 tests passed.")
        assert secret not in redacted
        assert "[REDACTED:" in redacted
        assert redacted.startswith("Ran it again. ")
        assert redacted.endswith(" Then 12 tests passed.")


def test_a_secret_keeps_its_placeholder_across_texts_and_spellings(redactor: Redactor):
    """A dream counts sessions that share a key: the same secret must look the same, however it was written."""
    secret = "gh" + "p_" + drawn(random.Random(1), ALNUM, 36)
    encoded = base64.b64encode(f"machine x login {secret}   ".encode()).decode()
    plain = redactor.redact(f"use {secret} now")
    assert plain == redactor.redact(f"use {secret} now")
    placeholder = plain.removeprefix("use ").removesuffix(" now")
    assert placeholder in redactor.redact(f'TOKEN="{secret}"')
    assert placeholder in redactor.redact(f"base64: {encoded}")


def test_the_key_decides_the_placeholder():
    """Without the key nobody can test a guess against a placeholder."""
    secret = "gl" + "pat-" + drawn(random.Random(2), URLSAFE, 20)
    assert Redactor(b"one").redact(secret) != Redactor(b"two").redact(secret)


def test_counts_say_how_many_of_each_kind():
    """The report of an ingest shows what was replaced."""
    redactor = Redactor(b"key")
    redactor.redact("write to ann.lee@corp.org or bo.lee@corp.org")
    redactor.redact("call +49 170 1234567")
    assert redactor.counts == {"email": 2, "phone": 1}


def test_a_private_key_goes_whole_even_with_line_numbers_or_cut_off(redactor: Redactor):
    """Agents print keys with `cat -n` or `head`; the body is what must not stay."""
    key = pem(random.Random(3))
    body = key.split("\n")[1:-1]
    numbered = "\n".join(f"{n:6}\u2192{line}" for n, line in enumerate(key.split("\n"), 1))
    truncated = "\n".join(key.split("\n")[:4])
    for text in (numbered, truncated, key.replace("\n", "\\n"), key.replace("\n", "\r\n")):
        redacted = redactor.redact(text)
        assert not any(line in redacted for line in body)


def test_own_secrets_go_by_exact_match():
    """What we hold ourselves needs no format: 100 %, also within words."""
    own = "correct-horse-battery-staple"
    redactor = Redactor(b"key", [own, "EMPTY", ""])
    assert redactor.redact(f"it said x{own}y and EMPTY") == redactor.redact(f"it said x{own}y and EMPTY")
    assert "horse" not in redactor.redact(f"it said x{own}y")
    assert "[REDACTED:own-secret:" in redactor.redact(own)
    assert "EMPTY" in redactor.redact("the endpoint's key is EMPTY")
