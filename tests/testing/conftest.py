"""The real SDK on the fake."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from agentflows.testing import FakeMessagesAPI

Open = Callable[..., tuple[FakeMessagesAPI, anthropic.Anthropic]]


@pytest.fixture
def open_fake() -> Iterator[Open]:
    """Opens a fake with these traits, and a client on it."""
    opened: list[Any] = []

    def make(**traits: Any) -> tuple[FakeMessagesAPI, anthropic.Anthropic]:
        fake = FakeMessagesAPI(**traits).start()
        client = anthropic.Anthropic(base_url=fake.url, api_key=fake.api_key, max_retries=0)
        opened.extend((fake, client))
        return fake, client

    yield make
    for thing in reversed(opened):
        thing.close()
