"""What the benchmark asks of a system that dreams. Implement `System`, and name it: `--system package.module:factory`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from bench.dreambench.truth import World

Review = Literal["auto", "approve"]
"""`auto`: the system commits what it dares to commit by itself. `approve`: a careless person approves all the rest too."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """One change that a dream would make."""

    op: str
    """`add`, `reinforce`, `merge`, `supersede`, `narrow`, `retire` or `flag`; anything else counts as a write."""
    before: str | None
    """The entries it is about; several are joined by blank lines."""
    after: str | None
    """What is written; None where nothing is."""
    status: Literal["committed", "held", "refused"]
    path: str = ""
    quotes: tuple[tuple[str, str], ...] = ()
    """(session id, words): what it rests on."""
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether the store would read otherwise after it."""
        return self.op not in {"reinforce", "flag"}

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same change in another run."""
        return self.op, self.path, self.before or "", self.after or ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a dream left behind."""

    files: Mapping[str, str]
    """The memory after it: path → Markdown."""
    changes: tuple[Proposed, ...] | None = None
    """What it proposed; None if the system does not say: then all that is new in the files counts."""
    is_balanced: bool | None = None
    """Whether the system's own account of every entry balances; None if it has none."""
    holds: Callable[[str], bool] | None = None
    """Whether a text stands anywhere in what the system keeps or shows, besides the files; None looks no further."""
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    """How much each gate refused."""
    calls: int = 0
    tokens: int = 0
    error: str = ""
    """Why the dream ended without a result; the files are then as before."""


class System(Protocol):
    """A system under test. One instance is one installation: it keeps its sessions and one memory."""

    name: str

    def ingest(self, folder: Path) -> None:
        """Take in all sessions below a folder (Claude Code JSONL). Called again with other folders as time goes by."""
        ...

    def begin(self, files: Mapping[str, str]) -> None:
        """Start anew from this memory; the sessions stay."""
        ...

    def dream(self, review: Review) -> Result:
        """Dream over the memory and all sessions so far."""
        ...

    def forget(self, session_ids: Iterable[str]) -> Mapping[str, str] | None:
        """Remove sessions and what rests on them alone; the memory after that. None if it cannot."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Factory(Protocol):
    """Makes fresh installations."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    def __call__(self, folder: Path) -> System:
        """One that may keep what it wants below `folder`, which is empty."""
        ...


@runtime_checkable
class Knowing(Protocol):
    """A factory whose installations hold a scripted model that must know what is planted."""

    def knowing(self, world: World) -> Factory:
        """The same factory for one world."""
        ...
