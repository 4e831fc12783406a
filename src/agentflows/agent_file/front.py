"""Front matter: YAML between two lines of `---`, with the line of every key, so that a fault can be pointed at."""

from dataclasses import dataclass
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node

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
    try:
        node = cast("Node | None", _yaml().compose(head))
        if node is None:
            return {}, {}
        if not isinstance(node, MappingNode):
            place = cast("Any", node).start_mark.line + 2
            raise FrontMatterError(place, "expected lines of `key: value`. Write `name: writer`")
        places = _places(node)
        values = cast("dict[Any, Any]", _yaml().load(head))
    except MarkedYAMLError as error:
        fault = cast("Any", error)
        mark, problem = fault.problem_mark or fault.context_mark, str(fault.problem)
        line = (mark.line if mark else 0) + 2
        raise FrontMatterError(line, f"no YAML: {problem}. {_advice(problem)}") from error
    except (YAMLError, ValueError) as error:
        raise FrontMatterError(1, f"no YAML: {error}. Take out what cannot be shown") from error
    return {str(key): value for key, value in values.items()}, places


def _yaml() -> Any:
    """A reader that makes plain values and nothing else; the package has no types for it."""
    return YAML(typ="safe", pure=True)


def _places(node: Any, above: str = "") -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in node.value:
        name = f"{above}{key.value}"
        line = key.start_mark.line + 2
        if name in found:
            raise FrontMatterError(line, f"{name} stands twice. Keep one of the two")
        found[name] = line
        if isinstance(value, MappingNode) and not above:
            found |= _places(value, f"{name}.")
    return found


def _advice(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return "Put a text that holds a colon in quotes"
    return "Put texts with special characters in quotes, and indent with spaces"
