"""Fakes for your own tests: a scripted Messages API on a local port, and sessions to read.

    from agentflows.testing import FakeMessagesAPI, Reply

    with FakeMessagesAPI() as fake:
        fake.first(Reply.overloaded())               # one fault, whatever is asked
        fake.when("Judge these pairs", {"same": []})  # structured output for requests with these words
        fake.script(lambda request: "hello")          # everything else
        ...                                           # point a client at fake.url with fake.api_key
    assert fake.requests[0].body["max_tokens"] == 8000

Nothing is patched: the real client talks over a real connection.
"""

from agentflows.testing.canaries import make_canary, plant_canary
from agentflows.testing.replies import Reply
from agentflows.testing.samples import sample_session, sample_sessions
from agentflows.testing.scripts import FakeRequest, Script, ScriptError, minimal_reply
from agentflows.testing.server import FakeMessagesAPI
from agentflows.testing.verdicts import upholding

__all__ = [
    "FakeMessagesAPI",
    "FakeRequest",
    "Reply",
    "Script",
    "ScriptError",
    "make_canary",
    "minimal_reply",
    "plant_canary",
    "sample_session",
    "sample_sessions",
    "upholding",
]
