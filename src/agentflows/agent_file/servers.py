"""The MCP servers an agent file names: written out in it, or by name, to be found in the project's `.mcp.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from agentflows.agent import McpServer
from agentflows.agent_file.sheet import Sheet

_PROJECT_FILE = ".mcp.json"
_KEY = "mcpServers"
_KNOWN = {"type", "command", "args", "env", "url", "headers"}


def read_servers(sheet: Sheet, folder: Path) -> tuple[McpServer, ...]:
    """The servers, in the order they are named; faults go to the sheet.

    Args:
        sheet: of the file.
        folder: where the file lies: names are looked up in the nearest `.mcp.json` from there upwards.
    """
    value = sheet.front.values.get(_KEY)
    if value is None:
        return ()
    entries: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    found: list[McpServer] = []
    for entry in entries:
        if isinstance(entry, str):
            found += _named(sheet, entry.strip(), folder)
        elif isinstance(entry, dict):
            found += (_server(sheet, str(name), told) for name, told in cast("dict[Any, Any]", entry).items())
        else:
            sheet.fault(_KEY, f"expected the name of a server or `name: {{command: …}}`, found {entry!r}.")
    return tuple(server for server in found if server.command or server.url)


def _named(sheet: Sheet, name: str, folder: Path) -> list[McpServer]:
    file = next((path for up in (folder, *folder.parents) if (path := up / _PROJECT_FILE).is_file()), None)
    known: Mapping[str, Any] = {}
    if file is not None:
        try:
            known = cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8"))).get(_KEY) or {}
        except (OSError, ValueError, AttributeError) as error:
            sheet.fault(_KEY, f"{file} cannot be read: {error}. Mend it, or write the server out here.")
            return []
    if name not in known:
        where = f"{file} has {', '.join(sorted(known)) or 'none'}" if file else f"there is no {_PROJECT_FILE}"
        sheet.fault(
            _KEY, f"there is no server {name!r}: {where}. Write it out here: `{name}: {{command: …}}`."
        )
        return []
    return [_server(sheet, name, known[name])]


def _server(sheet: Sheet, name: str, told: Any) -> McpServer:
    fields = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    command, url = fields.get("command"), fields.get("url")
    if fields.get("type") == "sse":
        sheet.fault(_KEY, f"{name}: servers of the type sse are not offered. Use its `http` address.")
        return McpServer(name=name)
    if bool(command) == bool(url):
        sheet.fault(
            _KEY, f"{name}: expected either `command` (with `args`) or `url`, found {sorted(fields)}."
        )
        return McpServer(name=name)
    for key in sorted(set(fields) - _KNOWN):
        sheet.warn(_KEY, f"{name}.{key} has no effect here.")
    words = [command, *fields.get("args", [])] if isinstance(command, str) else command or []
    try:
        return McpServer(
            name=name,
            command=tuple(str(word) for word in words),
            url=str(url or ""),
            env=_texts(fields.get("env")),
            headers=_texts(fields.get("headers")),
        )
    except (TypeError, AttributeError, ValueError):
        sheet.fault(_KEY, f"{name}: `args` must be a list, `env` and `headers` lines of `name: text`.")
        return McpServer(name=name)


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(item) for key, item in cast("dict[Any, Any]", value or {}).items()}
