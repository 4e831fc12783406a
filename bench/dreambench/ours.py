"""agentflows under test: the product as it ships, through `agentflows.dreaming` and `agentflows.review`, without Prefect."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from agentflows import DreamRequest, lineage, open_home, readers, review
from agentflows.change import Change, DreamReport
from agentflows.dreaming import dream_over
from agentflows.errors import AgentflowsError
from agentflows.home import Home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit, parse_entries
from agentflows.testing import FakeMessagesAPI
from bench.dreambench.harm import write_probes
from bench.dreambench.models import Model, model_named
from bench.dreambench.system import Proposed, Result, Review
from bench.dreambench.truth import World

_BLOCK = 1 << 20


class Agentflows:
    """One home, one store at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        engine: Literal["rules", "claude"] = "rules",
        model: Model | None = None,
        probes: Path | None = None,
    ) -> None:
        self.name = "agentflows/rules" if model is None else f"agentflows/claude+{model.name}"
        self._engine: Literal["rules", "claude"] = engine
        self._fake = FakeMessagesAPI() if model else None
        settings: dict[str, object] = {}
        if self._fake and model:
            self._fake.script(model.answer)
            self._fake.start()
            settings = {"base_url": self._fake.url, "api_key": self._fake.api_key}
        self._folder = folder / "home"
        self._home: Home = open_home(self._folder, **settings)
        self._stores = 0
        self._probes = str(probes) if probes else ""

    def ingest(self, folder: Path) -> None:
        """Read native logs into the archive."""
        ingest_files(self._home, readers.discover(folder))

    @property
    def _store(self) -> str:
        return f"bench-{self._stores}"

    def begin(self, files: Mapping[str, str]) -> None:
        """Make a store that holds these files."""
        self._stores += 1
        actor = self._home.actor("bench")
        store = self._home.state.create_store(self._store, actor=actor)
        edits = [
            MemoryEdit(path=path, content=text, expected_sha256=None) for path, text in sorted(files.items())
        ]
        self._home.state.commit(
            store.store_id, edits, base_version=store.version, actor=actor, message="begin"
        )

    def dream(self, review: Review) -> Result:
        """Dream once; under `approve` everything that waits is approved."""
        before = self._files()
        request = DreamRequest(
            store=self._store,
            engine=self._engine,
            commit="auto" if review == "auto" else "review",
            probes=self._probes,
        )
        try:
            report = dream_over(self._home, request)
        except AgentflowsError as error:
            return Result(before, changes=(), error=f"{type(error).__name__}: {error}")
        error = self._approve(report) if review == "approve" else ""
        report = self._home.state.dream(report.dream.dream_id)
        return self._result(before, report, error)

    def _approve(self, report: DreamReport) -> str:
        """Approve all that is held: together, or one by one where some stand in each other's way."""
        state, dream_id = self._home.state, report.dream.dream_id
        waiting = [change.change_id for change in report.changes if change.status == "held"]
        if not waiting:
            return ""
        try:
            review.approve(state, dream_id, reviewer="bench", reason="all", scan=self._home.secret_in)
        except AgentflowsError as together:
            failed: list[str] = []
            for change_id in waiting:
                try:
                    review.approve(
                        state, dream_id, reviewer="bench", only=[change_id], scan=self._home.secret_in
                    )
                except AgentflowsError as alone:
                    failed.append(f"{change_id}: {alone}")
            return f"not together: {together}; {len(failed)} not even alone: {failed[:2]}"
        return ""

    def _files(self) -> dict[str, str]:
        return self._home.state.files(self._store)

    def _result(self, before: Mapping[str, str], report: DreamReport, error: str) -> Result:
        entries = [
            entry.entry_id for path, text in sorted(before.items()) for entry in parse_entries(path, text)
        ]
        return Result(
            self._files(),
            changes=tuple(_proposed(one) for one in report.changes if one.status != "refused"),
            is_balanced=not report.ledger.imbalance(entries),
            holds=self._holds,
            refused=report.refused,
            calls=report.cost.calls,
            tokens=report.cost.usage.input_tokens + report.cost.usage.output_tokens,
            error=error,
        )

    def _holds(self, text: str) -> bool:
        """Whether a text stands in a turn of the archive or in the bytes of the state database."""
        rows = self._home.archive.sql(f"SELECT count(*) FROM turns WHERE contains(text, '{text}')").rows
        if rows[0][0]:
            return True
        wanted = text.encode()
        return any(_file_holds(path, wanted) for path in self._folder.glob("state.db*"))

    def forget(self, session_ids: Iterable[str]) -> Mapping[str, str] | None:
        """Forget the sessions one by one, in the store and in the archive."""
        actor = self._home.actor("bench")
        for session_id in session_ids:
            lineage.forget(
                self._home.state, self._home.archive, session_id, actor=actor, scan=self._home.secret_in
            )
        return self._files()

    def close(self) -> None:
        """Close the home and the fake endpoint."""
        self._home.close()
        if self._fake:
            self._fake.close()


class Ours:
    """Makes installations of agentflows; `probed` ones replay a probe that a planted lesson does harm to."""

    def __init__(self, model: str = "", *, world: World | None = None, probed: bool = False) -> None:
        self._model = model
        self._world = world
        self._probed = probed
        self.name = f"agentflows/claude+{model}" if model else "agentflows/rules"

    def knowing(self, world: World) -> "Ours":
        """The same, with a scripted model that knows this world."""
        return Ours(self._model, world=world, probed=self._probed)

    def __call__(self, folder: Path) -> Agentflows:
        """A new home below `folder`.

        Raises:
            ValueError: a scripted model was named, and no world for it to know.
        """
        if not self._model and not self._probed:
            return Agentflows(folder)
        if self._world is None:
            msg = (
                f"The scripted model {self._model!r}, or its probe, must know a world. Call `knowing` first."
            )
            raise ValueError(msg)
        probes = folder / "probes" if self._probed else None
        if probes:
            write_probes(self._world, probes)
        if not self._model:
            return Agentflows(folder, probes=probes)
        model = model_named(self._model)(self._world)
        return Agentflows(folder, engine="claude", model=model, probes=probes)


def _proposed(change: Change) -> Proposed:
    return Proposed(
        op=change.op,
        before=change.before,
        after=change.after,
        status="committed" if change.status == "committed" else "held",
        path=change.path,
        quotes=tuple((quote.session_id, quote.text) for quote in change.quotes),
        reason=change.reason,
    )


def _file_holds(path: Path, wanted: bytes) -> bool:
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if wanted in tail + block:
                return True
            tail = block[-len(wanted) :]
    return False
