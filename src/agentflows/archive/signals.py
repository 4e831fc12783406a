"""Signals: what the archive knows of each session without reading it, and who else shows the same.

They serve two ends: to choose what a model reads when it cannot read everything, and to count a pattern that
it found over all sessions. A signal is one kind and one name; equal signals have equal names in all sessions.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from agentflows.archive.engine import Connection
from agentflows.archive.patterns.users import USER_CORRECTIONS

_FOLDED = r"trim(regexp_replace(lower(text), '[^\pL\pN]+', ' ', 'g'))"
_NATIVE = "coalesce(nullif(origin, ''), session_id || '#' || seq)"

_ADDRESSED = f"""
SELECT session_id, root_id, seq, result_seq AS also, {_NATIVE} AS origin, 'error' AS kind,
       md5(concat_ws(chr(31), tool, head, err_sig)) AS name
FROM steps WHERE is_error
UNION ALL
SELECT session_id, root_id, seq, NULL, {_NATIVE}, kind, md5({_FOLDED}) FROM ({USER_CORRECTIONS.sql})
"""
_ALL = f"""
SELECT session_id, kind, name FROM ({_ADDRESSED})
UNION
SELECT session_id, 'workflow', md5(head) FROM steps WHERE NOT is_error AND head <> tool
UNION
SELECT session_id, 'check', md5(name) FROM checks WHERE NOT passed
"""
_TOUCHED = """
SELECT DISTINCT asked.session_id, asked.place, kind, name
FROM (SELECT unnest(?::VARCHAR[]) AS session_id, unnest(?::INTEGER[]) AS place) asked
JOIN temp.addressed shown ON shown.session_id = asked.session_id AND asked.place IN (shown.seq, shown.also)
"""
_PLACES = "SELECT session_id, place, kind || ':' || name FROM temp.touched ORDER BY ALL"
_ROOTS = """
SELECT DISTINCT kind || ':' || name, root FROM (
    SELECT kind, name, origin, min(root_id) AS root FROM temp.addressed
    WHERE (kind, name) IN (SELECT (kind, name) FROM temp.touched) GROUP BY kind, name, origin)
ORDER BY ALL
"""
Scoped = Callable[[str], str]
"""Narrows a query over the views to the sessions that count."""


class Signal(NamedTuple):
    """One thing that one session shows."""

    session_id: str
    kind: str
    """`error` (tool, call and signature), `rule` or `correction` (a user's own words, folded), `workflow` (what a
    command did that went well), `check` (one that failed)."""
    name: str


class Witnesses(NamedTuple):
    """Who shows the same signals as certain turns."""

    at: dict[tuple[str, int], tuple[str, ...]]
    """The signals that stand at an address, as `kind:name`."""
    roots: dict[str, frozenset[str]]
    """By signal, the distinct root sessions that show it; copies of one native event count as one session."""

    def of(self, addresses: Iterable[tuple[str, int]], kinds: frozenset[str]) -> frozenset[str]:
        """The root sessions that show any signal of these kinds that stands at one of the addresses."""
        signals = {signal for address in addresses for signal in self.at.get(address, ())}
        wanted = [signal for signal in signals if signal.partition(":")[0] in kinds]
        return frozenset[str]().union(*(self.roots.get(signal, frozenset()) for signal in wanted))


def read_signals(cursor: Connection, scoped: Scoped) -> list[Signal]:
    """Every signal of the sessions in scope, once for each session, in a fixed order."""
    rows = cursor.execute(f"SELECT * FROM ({scoped(_ALL)}) ORDER BY ALL").fetchall()
    names: dict[str, str] = {}
    return [
        Signal(names.setdefault(session_id, session_id), kind, names.setdefault(name, name))
        for session_id, kind, name in rows
    ]


def read_witnesses(cursor: Connection, scoped: Scoped, addresses: Sequence[tuple[str, int]]) -> Witnesses:
    """Who in scope shows what stands at these addresses."""
    cursor.execute(f"CREATE TEMP TABLE addressed AS {scoped(_ADDRESSED)}")
    asked = [[session_id for session_id, _ in addresses], [seq for _, seq in addresses]]
    cursor.execute(f"CREATE TEMP TABLE touched AS {_TOUCHED}", asked)
    at: dict[tuple[str, int], tuple[str, ...]] = {}
    for session_id, seq, signal in cursor.execute(_PLACES).fetchall():
        at[session_id, seq] = (*at.get((session_id, seq), ()), signal)
    found: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for signal, root in cursor.execute(_ROOTS).fetchall():
        found.setdefault(signal, set()).add(names.setdefault(root, root))
    return Witnesses(at, {signal: frozenset(roots) for signal, roots in found.items()})
