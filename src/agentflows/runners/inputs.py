"""What the tools of an agent take, as the model is told it and as it is checked."""

import functools
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentflows.claude import ToolFaultError

_SECONDS = 120
MOST_SECONDS = 600
"""What `bash` may be given for one command."""


class Input(BaseModel):
    """The arguments of a tool. Unknown ones are refused, so that the model learns of a typing error."""

    model_config = ConfigDict(extra="forbid")


class ReadInput(Input):
    """Of `read`."""

    path: str = Field(description="The file, relative to the workspace; or one under /memory.")
    start_line: int | None = Field(default=None, ge=1, description="The first line to show, from 1.")
    end_line: int | None = Field(default=None, ge=1, description="The last line to show, included.")


class WriteInput(Input):
    """Of `write`."""

    path: str = Field(description="The file, relative to the workspace. Folders above it are made.")
    content: str = Field(description="All that the file shall hold.")


class EditInput(Input):
    """Of `edit`."""

    path: str = Field(description="The file, relative to the workspace.")
    old: str = Field(min_length=1, description="The text to replace, exactly as it stands, once in the file.")
    new: str = Field(description="What takes its place.")
    replace_all: bool = Field(default=False, description="Replace every occurrence.")


class GlobInput(Input):
    """Of `glob`."""

    pattern: str = Field(description="Such as `src/**/*.py`, relative to the workspace; or under /memory.")


class GrepInput(Input):
    """Of `grep`."""

    pattern: str = Field(description="A regular expression in RE2's syntax.")
    path: str = Field(default=".", description="The file or folder to search; or one under /memory.")


class BashInput(Input):
    """Of `bash`."""

    command: str = Field(
        min_length=1, description="Run by bash in the workspace; nothing is kept between calls."
    )
    timeout_seconds: float = Field(
        default=_SECONDS,
        gt=0,
        le=MOST_SECONDS,
        description="After this long it is killed with all it started.",
    )


Shape = TypeVar("Shape", bound=Input)


def checked(shape: type[Shape], given: dict[str, Any]) -> Shape:
    """The arguments as `shape`.

    Raises:
        ToolFaultError: they do not fit; the text names each one that does not, and what there is.
    """
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        known = ", ".join(shape.model_fields)
        msg = f"The arguments do not fit: {faults}. The arguments are: {known}."
        raise ToolFaultError(msg) from error


@functools.cache
def schema(shape: type[Input]) -> dict[str, Any]:
    """The JSON schema of the arguments, without what says nothing to a model. Nobody changes it."""
    found = shape.model_json_schema()
    for field in found["properties"].values():
        field.pop("title", None)
    return {"type": "object", "properties": found["properties"], "required": found.get("required", [])}
