"""What a project deploys: its `prefect.yaml`, read as words, for whoever serves it or looks whether a server has it."""

import ast
import hashlib
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agentflows.errors import UsageError

FILE = "prefect.yaml"
POOL = "agentflows"
"""The work pool that `prefect.yaml` names."""


class Schedule(BaseModel):
    """When a deployment runs by itself; one of `cron`, `interval` and `rrule` is set."""

    model_config = ConfigDict(frozen=True)

    cron: str = ""
    interval: float = 0
    """Seconds."""
    rrule: str = ""
    timezone: str = "UTC"
    active: bool = True
    slug: str = ""
    parameters: dict[str, Any] = {}

    @property
    def when(self) -> str:
        """For people."""
        how = self.cron or self.rrule or f"every {self.interval:g} s"
        named = f"{self.slug}: " if self.slug else ""
        return f"{named}{how} {self.timezone}{'' if self.active else ' (off)'}"


class Limit(BaseModel):
    """How many runs of a deployment work at once."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"


class Deployment(BaseModel):
    """One deployment as the file says it."""

    model_config = ConfigDict(frozen=True)

    name: str
    entrypoint: str
    """`flows/dream.py:dream`, from the project's folder."""
    description: str = ""
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    concurrency_limit: Limit | None = None
    schedules: list[Schedule] = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """A limit may be a number, and nothing may stand where a list does."""
        found = {name: value for name, value in given.items() if value is not None}
        if isinstance(found.get("concurrency_limit"), int):
            found["concurrency_limit"] = {"limit": found["concurrency_limit"]}
        return found

    def flow_name(self, root: Path) -> str:
        """As Prefect names its flow: as the decorator says, else after the function. Nothing of it is run."""
        file, _, function = self.entrypoint.rpartition(":")
        try:
            body = ast.parse((root / file).read_bytes()).body
        except (OSError, SyntaxError, ValueError):
            body = []
        return next(
            (
                str(word.value.value)
                for found in body
                if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and found.name == function
                for decorator in found.decorator_list
                if isinstance(decorator, ast.Call)
                for word in decorator.keywords
                if word.arg == "name" and isinstance(word.value, ast.Constant)
            ),
            function.replace("_", "-"),
        )

    def sha_of_file(self, root: Path) -> str:
        """The version it has on the server when it was deployed from the flow's file as it is now."""
        return version_of(root / self.entrypoint.rpartition(":")[0])


def version_of(file: str | Path) -> str:
    """The version of the flows of a file: its MD5, as Prefect has it.

    A flow says it itself (`version=version_of(__file__)`): of one under a decorator Prefect takes the decorator's file.
    """
    return hashlib.md5(Path(file).read_bytes(), usedforsecurity=False).hexdigest()


def read_deployments(root: Path) -> list[Deployment]:
    """Every deployment of the project in `root`.

    Raises:
        UsageError: there is no such file, or it cannot be read as deployments.
    """
    path = root / FILE
    try:
        content = cast("dict[str, Any]", YAML(typ="safe", pure=True).load(path.read_text("utf-8")))  # pyright: ignore[reportUnknownMemberType]
        return [Deployment.model_validate(one) for one in content["deployments"]]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"{path} has a deployment that cannot be used: {where}: {first['msg']}. Correct it there."
        raise UsageError(msg) from error
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path} cannot be read as deployments ({type(error).__name__}: {error}). `agentflows init` lays one down."
        raise UsageError(msg) from error
