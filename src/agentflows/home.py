"""The home: opens the doors that settings name, and hands them out.

One `Home` is one process's view of an installation: its archive, its state database, its model client.
Nothing is opened before it is asked for, and nothing is written by looking.
"""

import atexit
import contextlib
import getpass
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel

from agentflows.agent import AgentDefinition, Runner, Show
from agentflows.budget import Purse
from agentflows.change import Budget
from agentflows.depot import Depot
from agentflows.errors import PassesOn, SettingsError, StoreError
from agentflows.memory import Actor
from agentflows.model import Price, price_table
from agentflows.redaction import DEFAULT_PII, Finding, Redactor
from agentflows.redaction.canaries import Canaries, canaries_of
from agentflows.settings import Settings, load_settings
from agentflows.store import LedgerPurse, State
from agentflows.store.failpoints import failpoint

if TYPE_CHECKING:
    from agentflows.archive import Archive
    from agentflows.claude import Breaker, Claude, Tool
    from agentflows.dream.engine import Engine

T = TypeVar("T", bound=BaseModel)
Made = TypeVar("Made")


class Closing(Protocol):
    """Something to be closed; twice does no harm."""

    def close(self) -> None:
        """Close it."""
        ...


Door = TypeVar("Door", bound=Closing)
EngineChoice = Literal["auto", "rules", "claude"]
_KEY_BYTES = 32
_KEY_NAME = "redaction-key"


class Home:
    """The doors of one installation. Use it as a context manager, or call `close()`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: list[Closing] = []
        is_chosen = "concurrency" in settings.model_fields_set
        self._slots = threading.BoundedSemaphore(settings.concurrency) if is_chosen else None
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._depots: dict[str, Depot] = {}
        self._opening = threading.Lock()
        _end_quietly()

    @cached_property
    def archive(self) -> "Archive":
        """All sessions. An archive that does not exist yet is empty, not an error."""
        from agentflows.archive import Archive

        settings = self.settings
        return Archive(
            settings.resolved_archive,
            threads=settings.duckdb_threads,
            memory_limit=settings.duckdb_memory,
            cache=settings.home_path / "copies",
            cache_bytes=settings.archive_cache,
            needs_lock=settings.archive_lock == "required",
        )

    @cached_property
    def state(self) -> State:
        """Stores, dreams, decisions, caches and budgets."""
        if not self.settings.state_url:
            self._folder()
        state = State(self.settings.resolved_state_url, scan=self.secret_in, scan_files=self.credential_in)
        _note_abandoned(state)
        return state

    def note_abandoned(self) -> None:
        """Mark as failed the dreams that nobody dreams any more, where that can be written."""
        _note_abandoned(self.state)

    def depot(self, job_id: str) -> Depot:
        """Where the files of one job travel between machines, at `AGENTFLOWS_STAGING_URL`. The same one each time.

        Raises:
            SettingsError: the URL cannot be used.
        """
        with self._opening:
            if job_id not in self._depots:
                folder = self.settings.home_path / "jobs" / job_id / "objects"
                self._depots[job_id] = Depot(self.settings.staging_url, job_id, folder)
            return self._depots[job_id]

    def redactor(self, *, pii: Sequence[str] = DEFAULT_PII) -> Redactor:
        """A redactor under this home's key, so that a secret has one placeholder in all sessions.

        `pii` is which personal data it replaces beside secrets.
        """
        return Redactor(self._redaction_key, own_secrets=self._own_secrets, pii=pii)

    @property
    def _own_secrets(self) -> list[str]:
        own = [self.settings.api_key.get_secret_value()] if self.settings.api_key else []
        return [secret for secret in own if secret]

    @cached_property
    def _scanner(self) -> Redactor:
        """What only looks.

        It makes no placeholder, so it needs no key: the commit that asks is a transaction, and to agree on a key another.
        """
        return Redactor(b"nothing is replaced", own_secrets=self._own_secrets)

    @cached_property
    def canaries(self) -> Canaries:
        """The planted strings that must reach no memory, no question to a model and no report.

        Raises:
            SettingsError: one is too short, or has a form that cannot be told from text.
        """
        return canaries_of(self.settings.canaries)

    def findings(self, text: str) -> list[Finding]:
        """The secrets and personal data in `text`, in order."""
        return self._scanner.scan(text)

    def secret_in(self, text: str) -> str:
        """Why `text` must not be stored, or "": the blocking scan of every commit."""
        return self.canary_in(text) or _looks_like(self.findings(text))

    def credential_in(self, text: str) -> str:
        """The same, of text that a person takes in as it is: personal data may stand in it."""
        return self.canary_in(text) or _looks_like(
            [one for one in self.findings(text) if not one.is_personal]
        )

    def canary_in(self, text: str) -> str:
        """The same, of canaries alone."""
        number = self.canaries.number_in(text)
        return f"it holds a canary (number {number})" if number else ""

    def engine(
        self,
        choice: EngineChoice,
        purse: Callable[[], LedgerPurse],
        *,
        model: str = "",
        is_money_capped: bool = False,
    ) -> "tuple[Engine, str]":
        """The engine to dream with, and why this one. `purse` is asked for at the first model call.

        Raises:
            SettingsError: `claude` was asked for and neither a key nor an endpoint is configured.
        """
        if choice == "auto":
            choice = "claude" if self.settings.has_endpoint else "rules"
            why = (
                f"claude: {'an endpoint' if self.settings.base_url else 'a key'} is configured"
                if choice == "claude"
                else "rules: neither ANTHROPIC_API_KEY nor ANTHROPIC_BASE_URL is set"
            )
        else:
            why = f"{choice}: asked for"
        if choice == "rules":
            from agentflows.dream.rules import RulesEngine

            return RulesEngine(), why
        if not self.settings.has_endpoint:
            msg = (
                "The claude engine needs a key or an endpoint. Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL "
                "for a server of your own; or use --engine rules, which needs neither."
            )
            raise SettingsError(msg)
        from agentflows.asking import Asker
        from agentflows.dream.judged import JudgedEngine

        name = model or self.settings.model

        def asks(model: str) -> Asker:
            client = _once(
                lambda: self.kept(self.claude(purse(), model=model, is_money_capped=is_money_capped))
            )
            return Asker(client, self.state, model, self.canaries, goes_on=True)

        ask, second = asks(name), self.settings.judge_model
        judge = (second, asks(second)) if second and second != name else None
        today = date.today()  # noqa: DTZ011 - the reader's own day
        at_once = self.settings.concurrency
        return JudgedEngine(ask, model=name, today=today, concurrency=at_once, judge=judge), why

    def claude(
        self,
        purse: LedgerPurse,
        *,
        model: str = "",
        is_money_capped: bool = False,
        draws_on: Purse | None = None,
    ) -> "Claude":
        """A model client drawing on `purse`, or on what stands before it, for the caller to close."""
        from agentflows.claude import Breaker, Claude

        with self._opening:
            place = (self.settings.base_url, model or self.settings.model)
            breaker = self._breakers.setdefault(place, Breaker(time.monotonic))
        key = self.settings.api_key.get_secret_value() if self.settings.api_key else None
        return Claude(
            model=model or self.settings.model,
            api_key=key,
            base_url=self.settings.base_url,
            purse=draws_on or purse,
            on_call=purse.record_call,
            deadline_seconds=self.settings.deadline_seconds,
            concurrency=self.settings.concurrency,
            prices=self.prices,
            is_money_capped=is_money_capped,
            slots=self._slots,
            breaker=breaker,
        )

    def kept(self, door: Door) -> Door:
        """The same, closed with the home, before its database is."""
        self._kept.append(door)
        return door

    def runner(
        self,
        agent: AgentDefinition,
        purse: LedgerPurse,
        *,
        is_money_capped: bool = False,
        extra: "Sequence[Tool]" = (),
        passes_on: PassesOn = lambda _: False,
        show: Show | None = None,
    ) -> Runner:
        """What runs `agent`, spending from `purse`; `is_money_capped` is whether that has a ceiling in dollars.

        `extra` are tools beside those its file names, for a `messages` agent; `passes_on` is which errors the caller
        takes also after its first reply; `show` is told of a run that keeps nothing on its way (a command, a function).

        Raises:
            SettingsError: the agent needs a model, and neither a key nor an endpoint is configured.
        """
        from agentflows.runners import CommandRunner, MessagesRunner, PythonRunner

        if agent.runner == "python":
            return PythonRunner(show=show)
        if agent.runner == "command":
            return CommandRunner(purse, self.prices, show=show)
        if not self.settings.has_endpoint:
            msg = (
                f"The agent {agent.name} needs a model, and none can be called. Set ANTHROPIC_API_KEY, or "
                "ANTHROPIC_BASE_URL for a server of your own; or use an agent with `runner: command` or `python`."
            )
            raise SettingsError(msg)

        def client(capped: Purse, *, model: str, has_own_ceiling: bool) -> "Claude":
            is_capped = is_money_capped or has_own_ceiling
            return self.claude(purse, model=model, is_money_capped=is_capped, draws_on=capped)

        return MessagesRunner(client, purse, extra, passes_on=passes_on, sandbox=self.settings.sandbox)

    @property
    def prices(self) -> Mapping[str, Price]:
        """List prices by model: those that ship, with the user's own over them."""
        return price_table(self.settings.prices)

    def purse(self, dream_id: str, budget: Budget) -> LedgerPurse:
        """The purse of one dream: durable, so that a re-run goes on from what was spent."""
        return self.state.purse({f"dream:{dream_id}": budget})

    def actor(self, name: str = "") -> Actor:
        """Who acts here: the name given, `AGENTFLOWS_REVIEWER`, or the login."""
        return Actor(kind="user_actor", name=name or os.environ.get("AGENTFLOWS_REVIEWER", "") or _login())

    def _folder(self) -> Path:
        folder = self.settings.home_path
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            msg = (
                f"The home folder {folder} cannot be made: {error.strerror}. "
                "Name one you can write with --home or AGENTFLOWS_HOME."
            )
            raise SettingsError(msg) from error
        return folder

    @cached_property
    def _redaction_key(self) -> bytes:
        """The key of the home; where several homes share a state, the one that the first of them had."""
        if not self.settings.state_url:
            return self._own_key()
        return bytes.fromhex(
            self.state.agreed(_KEY_NAME) or self.state.agree(_KEY_NAME, self._own_key().hex())
        )

    def _own_key(self) -> bytes:
        path = self._folder() / "redaction.key"
        try:
            if not path.exists():
                _publish(path, secrets.token_bytes(_KEY_BYTES).hex())
            found = path.read_bytes()
        except OSError as error:
            msg = (
                f"The key of the home, {path}, can be neither made nor read: {error.strerror}. Check the rights and "
                "the space there, or name another folder with --home."
            )
            raise SettingsError(msg) from error
        return _checked_key(found, path)

    def close(self) -> None:
        """Close what was opened."""
        while self._kept:
            self._kept.pop().close()
        for name in ("archive", "state"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _publish(path: Path, text: str) -> None:
    """Write the file whole or not at all, for its owner only; the first of several processes wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        failpoint("home.key")
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links: whole still, though the last of several wins
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _checked_key(found: bytes, path: Path) -> bytes:
    try:
        key = bytes.fromhex(found.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        msg = (
            f"The key in {path} is damaged: expected {2 * _KEY_BYTES} hexadecimal digits, found {len(found)} bytes. "
            "Restore the file from a backup; or delete it, and a new key is made, under which the placeholders of "
            "a secret differ from those already archived."
        )
        raise SettingsError(msg)
    return key


def _looks_like(findings: Sequence[Finding]) -> str:
    return f"it holds what looks like a secret ({findings[0].kind})" if findings else ""


def open_home(home: str | Path | None = None, **settings: object) -> Home:
    """The home at `home`, or the one `AGENTFLOWS_HOME` names. Other settings by name win over the environment.

    Raises:
        SettingsError: there is no such setting, a value cannot be, or the folder cannot be made.
    """
    return Home(load_settings(home=Path(home) if home else None, **settings))


def _note_abandoned(state: State) -> None:
    # Who only reads must be able to on a full disk; the next command that writes says it.
    with contextlib.suppress(StoreError):
        state.fail_abandoned()


@cache
def _end_quietly() -> None:
    """Keep the end of a process that Prefect made for one run out of a worker's log.

    While daemon threads of Prefect run, nothing of DuckDB's bindings is freed, and they list every type that importing
    them made: some fifty lines that say nothing to an operator, whether a connection was opened and closed or none ever
    was. By then the run and its logs are over.
    """
    if "PREFECT__FLOW_RUN_ID" in os.environ:
        atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))


def _once(make: Callable[[], Made]) -> Callable[[], Made]:
    """`make` for many threads: the first call makes it, all get the same one. Not so `functools.cache`."""
    lock = threading.Lock()
    made: list[Made] = []

    def get() -> Made:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        return f"uid {os.getuid()}"
