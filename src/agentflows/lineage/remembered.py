"""What kept answers hold of a session: its observations, and the words a model quoted from it."""

import json

from pydantic import ValidationError

from agentflows.change import Observation
from agentflows.store import State

_MIN_QUOTE = 12
"""Shorter quotes stand in other sessions' answers as well."""


def observed_texts(state: State, session_id: str) -> list[str]:
    """Stretches of text, each of which only a kept answer about this session holds.

    They are the marks of its observations, and, as JSON writes them, the words they quote: a model's own answer,
    from which the observations were made, names no session.
    """
    marks = [f'"session_id":{json.dumps(session_id)}', f'"root_id":{json.dumps(session_id)}']
    texts = list(marks)
    for text in state.cached(state.cache_keys(marks)).values():
        for observation in _observations(text):
            if observation.root_id == session_id:
                texts += [quote.text for quote in observation.quotes if len(quote.text) >= _MIN_QUOTE]
    return marks + [json.dumps(text, ensure_ascii=False)[1:-1] for text in dict.fromkeys(texts[len(marks) :])]


def _observations(text: str) -> list[Observation]:
    try:
        listed = json.loads(text).get("observations", [])
        return [Observation.model_validate(one) for one in listed]
    except (ValueError, ValidationError, AttributeError):  # an answer of another kind
        return []
