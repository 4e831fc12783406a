"""Front matter: YAML between two lines of `---`, with the line of every key, so that a fault can be pointed at."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, cast

import yaml

_FENCE = "---"
_LONGEST = 64 << 10
"""Characters of front matter; what is longer is none."""


class FrontMatterError(Exception):
    """The file has no usable front matter; `line` is where, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Front:
    """What stands at the head of a file."""

    values: dict[str, Any]
    lines: dict[str, int]
    """By key, from 1; `limits.max_turns` for a key in a key."""
    body: str
    """All after it."""

    def line(self, key: str) -> int:
        """Where `key` stands; 1 when it does not."""
        return self.lines.get(key, self.lines.get(key.partition(".")[0], 1))


def split(text: str) -> Front:
    """Take a file apart.

    Raises:
        FrontMatterError: there is no front matter, it does not end, or it is no YAML mapping of distinct keys.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise FrontMatterError(
            1, f"expected front matter, found {lines[0][:40]!r}. Begin the file with a line of ---"
        )
    ends = [number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE]
    if not ends:
        raise FrontMatterError(1, "the front matter does not end. Close it with a line of ---")
    head = "\n".join(lines[1 : ends[0]])
    if len(head) > _LONGEST:
        raise FrontMatterError(1, f"the front matter has {len(head):,} characters, {_LONGEST:,} are the most")
    values, places = _parsed(head)
    return Front(values, places, "\n".join(lines[ends[0] + 1 :]).strip("\n"))


def _parsed(head: str) -> tuple[dict[str, Any], dict[str, int]]:
    loader = yaml.SafeLoader(head)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise FrontMatterError(
                node.start_mark.line + 2, "expected lines of `key: value`. See the README's example"
            )
        places = _places(node)
        values: dict[Hashable, Any] = loader.construct_mapping(node, deep=True)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FrontMatterError(
            (mark.line if mark else 0) + 2, f"no YAML: {error.problem}. {_advice(error)}"
        ) from error
    except yaml.YAMLError as error:
        raise FrontMatterError(1, f"no YAML: {error}. Take out what cannot be shown") from error
    finally:
        cast("Any", loader).dispose()
    return {str(key): value for key, value in values.items()}, places


def _places(node: yaml.MappingNode, above: str = "") -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        name = f"{above}{key.value}"
        line = key.start_mark.line + 2
        if name in found:
            raise FrontMatterError(line, f"{name} stands twice. Keep one of the two")
        found[name] = line
        if isinstance(value, yaml.MappingNode) and not above:
            found |= _places(value, f"{name}.")
    return found


def _advice(error: yaml.MarkedYAMLError) -> str:
    if "mapping values are not allowed" in (error.problem or ""):
        return "Put a text that holds a colon in quotes"
    return "Put texts with special characters in quotes, and indent with spaces"
