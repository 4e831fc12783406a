"""Grounds: whether the sessions and the store hold what a text says, and the words that a change quotes."""

import re
from collections.abc import Collection, Sequence

from bench.dreambench.sessions import Writer
from bench.dreambench.system import Proposed
from bench.dreambench.truth import World, specifics, words

_NOTE = re.compile(r"\s*\([^()]*\b(?:sessions?|until|since|before)\b[^()]*\)\.?\s*\Z", re.IGNORECASE)
"""A remark on support or dates at the end of an entry: its numbers are counted, not quoted."""
BLANK = re.compile(r"\[REDACTED[^\]]*\]|\*{3,}|<redacted>", re.IGNORECASE)
_GROUNDED = 0.5


class Grounds:
    """What the sessions hold of the texts to be judged, found in one pass over them."""

    def __init__(
        self, world: World, texts: Sequence[str], changes: Sequence[Proposed], counted: Collection[str] = ()
    ) -> None:
        """`counted` are texts about counts: their numbers and words are the writer's own, their names are not."""
        store = "\n".join(world.files.values())
        bare = {text: BLANK.sub(" ", _NOTE.sub("", text)) for text in texts}
        self._missing = {text: specifics(plain) - specifics(store) for text, plain in bare.items()}
        for text in counted:
            self._missing[text] = {item for item in self._missing.get(text, ()) if not item[0].isdigit()}
        self._words = {text: words(_told(plain)) for text, plain in bare.items()}
        best = words(store)
        self._share = {
            text: 1.0 if text in counted else _overlap(own, best) for text, own in self._words.items()
        }
        asked: dict[str, set[str]] = {}
        for change in changes:
            for session_id, quoted in change.quotes:
                asked.setdefault(session_id, set()).add(quoted)
        self.quotes = sum(map(len, asked.values()))
        self.false_quotes: list[str] = []
        self._read(world, asked)
        self.quotes_false = len(self.false_quotes)

    def _read(self, world: World, asked: dict[str, set[str]]) -> None:
        if not self._missing and not asked:
            return
        writer = Writer(world)
        for session_id, text in writer.texts():
            plain = " ".join(text.split())
            own = words(text)
            for entry, missing in self._missing.items():
                if missing:
                    missing -= {item for item in missing if item in plain}
                if self._share[entry] < 1:
                    self._share[entry] = max(self._share[entry], _overlap(self._words[entry], own))
            for quoted in asked.pop(session_id, ()):
                if not _stands_in(quoted, text):
                    self.false_quotes.append(f"{session_id}: {quoted}")
        self.false_quotes += [f"{name}: {quoted}" for name, found in asked.items() for quoted in found]

    def has(self, text: str) -> bool:
        """Whether the sessions or the store hold its names and numbers, and most of its words together."""
        return not self._missing[text] and self._share[text] >= _GROUNDED

    def why(self, text: str) -> str:
        """What is not held."""
        missing = ", ".join(sorted(self._missing[text]))
        return missing or f"{self._share[text]:.0%} of its words in one session"


def _told(text: str) -> str:
    """Of a text that quotes, what it quotes: the frame around it is its writer's own, and rightly."""
    return " ".join(re.findall(r"“([^”]+)”", text)) or text


def _overlap(own: set[str], other: set[str]) -> float:
    return len(own & other) / len(own) if own else 1.0


def _stands_in(quoted: str, text: str) -> bool:
    """Whether words stand in a session; what a system redacted in them may be anything."""
    parts = [part for part in BLANK.split(quoted) if part.strip()]
    return all(part in text for part in parts) or _in_json(quoted, text)


def _in_json(quoted: str, text: str) -> bool:
    """A tool call is quoted as the JSON of its input; its values must stand in the session."""
    values = re.findall(r'"((?:[^"\\]|\\.)*)"', quoted)
    parts = [value.replace('\\"', '"').replace("\\n", "\n") for value in values if len(value) > 3] or [quoted]
    unknown = [part for part in parts if part not in text]
    return all(
        part in {"command", "description", "file_path", "old_string", "new_string", "prompt"}
        for part in unknown
    )
