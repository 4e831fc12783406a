"""What must stay: identities, hashes, code, prose. A redactor that eats these destroys the evidence."""

import base64
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from agentflows.redaction import Redactor

ORDINARY = [
    "commit 3f786850e387550fdab836ed7e6dc881de23001b (HEAD -> main)",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    'sourcegraph, datadog and etsy were built at 3f786850e387550fdab836ed7e6dc881de23001b"',
    '"sessionId": "93db84f8-1b8c-499a-9692-1865cb6f9160", "uuid": "0fccf939-a272-4ef8-a9d0-01c7df276089"',
    "toolu_01A9zqM7nL2kP5sT8vW3xY6b called Read; msg_01XFDUDYJgAACzvnptvVoYEL answered",
    "requestId req_011CSHoEeqs5C35K2UUqR7Fy",
    "at 1700000000000 ms, 2026-02-18T10:11:12.123Z, took 1234567890123456 ns",
    "integrity sha512-9NET910DNaIPngYnLLPeg+Ogzqsi9uM4mSboU5y6p8S5DzMTVEsJZrawi+BoDNUVBa2DhJqQYUFvMDfgU062LQ==",
    "def f(password: str, token: Optional[str] = None) -> Session: ...",
    "const token = await getAccessToken(user1.id); password = form.password2",
    "if (!password) throw new Error('password is required')",
    "The token is invalid. The password is case-sensitive and must be at least 8 characters.",
    "password: ${DB_PASSWORD}  secret: <your-secret-1>  API_KEY=$API_KEY_2",
    'export const TOKEN_KEY = "auth-token-storage-key-v2"',
    "git clone git@github.com:org/repo.git && npm i lodash@4.17.21 @types/node@20.11.5",
    "![logo](assets/logo@2x.png)   Co-Authored-By: Claude <noreply@anthropic.com>",
    "input_tokens: 123456, cache_read_tokens=98765432",
    "sk-loading-spinner-container sk-chase-dot-animation-12",
    "ratio 3.14159265358979 range 100-20-3000x order 2024-01-02-0003",
    "card 4111 1111 1111 1112 fails its check, and DE89 3704 0044 0532 0130 01 too",
    "https://localhost:3000/@vite/client and http://[::1]:8080/a@b",
    "the keys are Bearer authentication, Basic functionality and Basic knowledge",
    "-----BEGIN PRIVATE KEY----- is the header the check looks for",
    "node_modules/.pnpm/typescript@5.4.5/node_modules/typescript/lib/lib.es2015.symbol.wellknown.d.ts",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01 café \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2192 done",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str):
    """Session ids, hashes, versions, code about passwords, and typography are no secrets."""
    assert Redactor(b"key").redact(text) == text


def test_images_in_base64_stay():
    """A screenshot is base64 of noise; a megabyte of it must not turn into placeholders."""
    noise = random.Random(7).randbytes(300_000)
    text = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + noise).decode()
    assert Redactor(b"key").scan(text) == []


def test_random_identities_stay():
    """Ten thousand hashes and UUIDs: chance finds nothing in them."""
    rng = random.Random(8)
    hashes = "\n".join(f"{rng.getrandbits(160):040x} {rng.getrandbits(256):064x}" for _ in range(5000))
    uuids = "\n".join(
        f'"id": "{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4{rng.getrandbits(12):03x}-9{rng.getrandbits(12):03x}-{rng.getrandbits(48):012x}"'
        for _ in range(5000)
    )
    assert Redactor(b"key").scan(hashes + uuids) == []


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from strings(item)


def lines(files: list[Path]) -> Iterator[Any]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            yield from map(json.loads, opened)


@pytest.mark.real_data
def test_real_sessions_lose_next_to_nothing(real_data: Path):
    """At most five false finds per megabyte of 45 real sessions. E-mail addresses there are replaced ones, so true finds."""
    files = sorted((real_data / "claude-code-packmind" / "sessions").glob("*.jsonl.gz"))
    redactor = Redactor(b"key")
    size = 0
    for value in lines(files):
        size += sum(map(len, strings(value)))
        redactor.redact_value(value)
    false = sum(n for kind, n in redactor.counts.items() if kind != "email")
    assert size > 10_000_000
    assert false <= 5 * size / 1_000_000
