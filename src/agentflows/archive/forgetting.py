"""Which raw and quarantined lines go with a session that was removed."""

import re
from collections import defaultdict
from collections.abc import Callable

from agentflows.archive.lake import Lake
from agentflows.archive.manifest import Snapshot

_STDIN = "-"
"""The one name that says nothing of where a source comes from."""
_BETWEEN_QUOTES = re.compile(r'["\\]')

Forgets = Callable[[int, str], bool]
"""Whether a line goes, by its number (0: it gave no turn) and its text."""


class Forgetting:
    """What the removed sessions of one snapshot leave behind in its sources.

    Of a source that held one there stays what gave turns to another session, or names another and not the removed one.
    What nobody can attribute goes, too: titles, queued prompts and lines cut short hold words of the user.
    """

    def __init__(self, lake: Lake, snapshot: Snapshot) -> None:
        self._lake = lake
        self._snapshot = snapshot
        self._held: dict[str, set[str]] = defaultdict(set)
        """Source → the sessions of which some version came from it."""
        for part in snapshot.parts:
            for version in part.sessions:
                self._held[version.source].add(version.session_id)
        self._file = {source.sha256: source.file for part in snapshot.parts for source in part.sources}
        self._removed_of_file: dict[str, set[str]] = defaultdict(set)
        for sha256, file in self._file.items():
            if file != _STDIN:
                self._removed_of_file[file] |= self._held.get(sha256, set()) & snapshot.removed

    def removed_of(self, source: str) -> set[str]:
        """The removed sessions of which this source holds lines.

        A file that had grown was read as several sources: of an earlier one nothing may stand any more but its lines.
        """
        if source in self._held:
            return self._held[source] & self._snapshot.removed
        return self._removed_of_file.get(self._file[source], set())

    def of(self, source: str) -> Forgets:
        """Which lines of a source go."""
        removed = self.removed_of(source)
        if not removed:
            return lambda _line, _text: False
        staying = self._held.get(source, set()) - removed
        turns: set[int] = set()
        for part in self._snapshot.parts:
            mine = {version.session_id for version in part.sessions if version.source == source}
            turns |= self._lake.turn_lines(part, sorted(mine & staying))

        def forgets(line: int, text: str) -> bool:
            if line and line in turns:
                return False
            words = set(_BETWEEN_QUOTES.split(text))
            return words.isdisjoint(staying) or not words.isdisjoint(removed)

        return forgets
