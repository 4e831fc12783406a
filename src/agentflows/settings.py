"""Settings: one value, built once where the doors are opened, from `AGENTFLOWS_*` variables.

Nothing is read at import. A setting given on the command line or from Python wins over its variable.
"""

import difflib
from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from agentflows.errors import SettingsError


class Settings(BaseSettings):
    """How this installation is set up."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTFLOWS_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    home: Path = Field(default=Path("~/.agentflows"), validate_default=True)
    """The folder for the state database, the archive and results."""
    state_url: str = ""
    """The state database; "" is SQLite in `home`. `postgresql+psycopg://user:password@host/name` otherwise."""
    archive_url: str = ""
    """The archive's folder, or an fsspec URL such as `s3://bucket/prefix`; "" is `home/archive`. S3 takes endpoint and keys
    from the usual AWS_* variables."""
    archive_cache: ByteSize = ByteSize(2_000_000_000)
    """How large copies of a remote archive's files, in the home, may become, such as 500MB; 0 fetches them anew each time."""
    archive_lock: Literal["required", "off"] = "required"
    """On S3: compacting and forgetting need a store with conditional writes; "off" trusts that only one does so at a time."""
    staging_url: str = ""
    """Where the files of jobs travel between workers that share no folder; "" is that they share the home's `jobs/`."""
    api_key: SecretStr | None = Field(default=None, alias="ANTHROPIC_API_KEY")
    """Read from `ANTHROPIC_API_KEY`, as the SDK does."""
    base_url: str = Field(default="", alias="ANTHROPIC_BASE_URL")
    """The model endpoint; "" is Anthropic's own. Any server that speaks the Messages API."""
    model: str = "claude-sonnet-5-5"
    """The model dreams are made with. `judge_model` is the one that checks."""
    judge_model: str = ""
    """"" is the same as `model`."""
    canaries: str = ""
    """Strings you planted in tool output or pages, with blanks or commas between: whatever carries one is stopped."""
    prices: dict[str, dict[str, float]] = {}
    """Your list prices in dollars per million tokens, as JSON: `{"MODEL": {"input": …, "output": …,
    "cache_read": …, "cache_write": …}}`. A run with a budget in dollars needs the price of its model."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Model calls at once, per process. Not set, it is that many for each dream and each grading, and a team's `at_once`
    rules its agents."""
    deadline_seconds: float = Field(default=600, gt=0)
    """For one logical model call, all its attempts included."""
    duckdb_threads: int = Field(default=2, ge=1)
    """What DuckDB may use of the processor, per process."""
    duckdb_memory: str = Field(default="2GB", pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")
    """What DuckDB may take per process, such as 512MB; beyond it, DuckDB uses the disk."""
    probes: dict[str, str] = {}
    """Folders of probes by memory store, as JSON: a dream over the store replays them (`agentflows.probe`)."""
    publish: dict[str, str] = {}
    """The folder that agents mount by memory store, as JSON: a night writes the store's files there."""
    sandbox: Literal["required", "off"] = "required"
    """Commands of agents run in a sandbox, or not at all; "off" runs them without walls, and each run says so."""
    batch_sessions: int = Field(default=50, ge=1, le=1000)
    """Sessions per Prefect task: 25–100 keeps Prefect's share small and its graph readable."""
    part_sessions: int = Field(default=500, ge=1, le=10_000)
    """Sessions per run of `dream-batch`, where a dream has others read: `dispatch=deployment`."""
    dask_address: str = ""
    """The Dask scheduler for `dispatch=dask`, such as tcp://host:8786; "" makes a cluster on this machine for the run."""
    dask_workers: int = Field(default=0, ge=0)
    """Processes of a cluster made for the run; 0 is one per core."""

    batch_poll_seconds: float = Field(default=60, gt=0)
    """Between two looks at a batch of model calls."""
    batch_wait_seconds: float = Field(default=86_400, ge=0)
    """How long a dream waits for its batches before it ends as `pending`; a later run goes on with them."""

    @property
    def home_path(self) -> Path:
        """`home` with `~` resolved."""
        return self.home.expanduser().resolve()

    @property
    def resolved_state_url(self) -> str:
        """The state database's SQLAlchemy URL."""
        return self.state_url or f"sqlite:///{self.home_path / 'state.db'}"

    @property
    def resolved_archive(self) -> str:
        """The archive's folder or URL."""
        return self.archive_url or str(self.home_path / "archive")

    @property
    def has_endpoint(self) -> bool:
        """Whether a model can be called at all: a key, or an endpoint of one's own."""
        return bool(self.base_url) or bool(self.api_key and self.api_key.get_secret_value())


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` that are None are left to the environment.

    Raises:
        SettingsError: a variable has an impossible value, or there is no setting of a name; the message names each one.
    """
    known = {name: field.alias for name, field in Settings.model_fields.items()}
    unknown = sorted(overrides.keys() - known.keys() - set(known.values()))
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."
        msg = f"There is no setting {', '.join(map(repr, unknown))}. {hint}"
        raise SettingsError(msg)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        lines = [
            f"{_variable(str(item['loc'][0]))}: {item['msg']}, got {item.get('input')!r}"
            for item in error.errors(include_url=False)
        ]
        msg = f"A setting cannot be used. {'; '.join(lines)}. Correct the variable, or unset it."
        raise SettingsError(msg) from error
    except SourceError as error:
        msg = f"A setting cannot be read: {error}. AGENTFLOWS_PRICES, AGENTFLOWS_PROBES and AGENTFLOWS_PUBLISH are JSON; correct the variable, or unset it."
        raise SettingsError(msg) from error


def _variable(field: str) -> str:
    return field if field.isupper() else f"AGENTFLOWS_{field.upper()}"
