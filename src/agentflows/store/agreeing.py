"""Agreeing: a value that several processes must share is the one that the first of them proposed."""

from agentflows.store.database import insert_missing
from agentflows.store.opened import Opened
from agentflows.store.rows import corrupt, values_of
from agentflows.store.tables import RunnerStateRow


class Agreements(Opened):
    """The part of `State` in which processes agree."""

    def agreed(self, name: str) -> str:
        """What was agreed under a name; "" when nothing was yet.

        Raises:
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            row = session.get(RunnerStateRow, _key(name))
            return row.state if row is not None else ""

    def agree(self, name: str, proposal: str) -> str:
        """Propose a value. Returns the one that holds from now on, for everybody: the first that was proposed.

        Raises:
            CorruptionError: it is not what was written.
        """
        row = RunnerStateRow(job_id=_key(name), state=proposal, updated_at=self._now()).sealed()
        with self._db.write() as session:
            insert_missing(session, RunnerStateRow, [values_of(row)])
            found = session.get(RunnerStateRow, _key(name))
            if found is None:  # inserted just now, or there before
                what = f"What was agreed as {name!r}"
                raise corrupt(what)
            return found.state


def _key(name: str) -> str:
    return f"agreed:{name}"
