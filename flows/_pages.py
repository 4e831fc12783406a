"""What flows lay on their runs' pages, without a copy of it in Prefect's events.

Prefect's server sends an event with all that is in an artifact when one with a key is created, and Prefect's client when it
changes one; the server's own endpoint for changes sends none. So an artifact is created empty, and filled through that.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client


def slug(name: str) -> str:
    """A store's name as Prefect wants it in a key."""
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in name.lower())
    return plain.strip("-") or "store"


def lay_markdown(text: str, *, key: str, description: str) -> None:
    """Lay a text on the page of the run."""
    _fill(cast("UUID", create_markdown_artifact("", key=key, description=description)), text)


def lay_table(rows: Sequence[Mapping[str, Any]], *, key: str, description: str) -> None:
    """Lay a table on the page of the run; of a table without rows nothing is laid."""
    if rows:
        made = create_table_artifact([], key=key, description=description)
        _fill(cast("UUID", made), json.dumps(list(rows)))


def _fill(artifact_id: UUID, data: str) -> None:
    with get_client(sync_client=True) as client:
        client.request("PATCH", "/artifacts/{id}", path_params={"id": artifact_id}, json={"data": data})
