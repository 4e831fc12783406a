"""What kept answers hold of a session: its observations, and the words a model quoted from it."""

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from agentflows.change import Observation
from agentflows.store import State

_READING = "obs:"
"""How the keys of what a session taught begin. Other keys are a model's own answers."""


class _Reading(BaseModel):
    model_config = ConfigDict(extra="ignore")

    observations: tuple[Observation, ...]


def kept_answers(state: State, session_id: str) -> list[str]:
    """The keys of kept answers about a session and its sub-agents.

    A reading names its session. The model's answer it was made from does not: it is known by words it quotes
    that no other session's reading quotes.
    """
    name = json.dumps(session_id, ensure_ascii=False)
    readings = state.cache_keys([f'"session_id":{name}', f'"root_id":{name}'])
    found = dict.fromkeys(readings)
    for text in _quoted(state.cached(readings).values(), session_id):
        keys = state.cache_keys([json.dumps(text, ensure_ascii=False)[1:-1]])
        if not any(key.startswith(_READING) and key not in readings for key in keys):
            found |= dict.fromkeys(keys)
    return sorted(found)


def _quoted(readings: Iterable[str], session_id: str) -> list[str]:
    texts: dict[str, None] = {}
    for text in readings:
        try:
            observations = _Reading.model_validate_json(text).observations
        except ValidationError:  # an answer of another kind, which names the session
            continue
        own = [one for one in observations if session_id in {one.session_id, one.root_id}]
        texts |= {quote.text: None for one in own for quote in one.quotes if quote.text.strip()}
    return list(texts)
