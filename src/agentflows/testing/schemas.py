"""The part of JSON schema that structured output has: what is allowed in one, what fits one, the least that does."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_ALLOWED = frozenset(
    {
        "$defs", "$ref", "type", "anyOf", "allOf", "enum", "const", "description", "title", "properties",
        "additionalProperties", "required", "items", "minItems", "format",
    }
)  # fmt: skip

_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}

_LEAST: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def unsupported(schema: Any, where: str = "schema") -> Iterator[str]:
    """What the structured output of a hosted model would not accept in this schema, one line each."""
    if not isinstance(schema, dict):
        yield f"{where}: must be an object"
        return
    node: dict[str, Any] = schema  # pyright: ignore[reportUnknownVariableType]: checked just above
    for key in node.keys() - _ALLOWED:
        yield f"{where}: {key!r} is not supported"
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        yield f"{where}: 'additionalProperties' must be false for objects"
    for group in ("$defs", "properties"):
        for name, child in node.get(group, {}).items():
            yield from unsupported(child, f"{where}.{group}.{name}")
    for group in ("anyOf", "allOf"):
        for number, child in enumerate(node.get(group, ())):
            yield from unsupported(child, f"{where}.{group}.{number}")
    if "items" in node:
        yield from unsupported(node["items"], f"{where}.items")


def misfits(value: Any, schema: Schema, root: Schema | None = None, where: str = "$") -> Iterator[str]:
    """Where `value` is not what `schema` asks for, one line each; nothing when it fits."""
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if "const" in schema and value != schema["const"]:
        yield f"{where}: must be {schema['const']!r}, not {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: must be one of {schema['enum']!r}, not {value!r}"
    for part in schema.get("allOf", ()):
        yield from misfits(value, part, root, where)
    options = schema.get("anyOf", ())
    if options and not any(not list(misfits(value, option, root, where)) for option in options):
        yield f"{where}: fits none of its {len(options)} forms"
    if "type" in schema:
        yield from _misfits_of_type(value, schema, root, where)


def _misfits_of_type(value: Any, schema: Schema, root: Schema, where: str) -> Iterator[str]:
    kind = schema["type"]
    if not _is(kind, value):
        yield f"{where}: must be of type {kind}, not {value!r}"
        return
    if kind == "array":
        if len(value) < schema.get("minItems", 0):
            yield f"{where}: must have at least {schema['minItems']} items"
        for number, item in enumerate(value if "items" in schema else ()):
            yield from misfits(item, schema["items"], root, f"{where}[{number}]")
    if kind == "object":
        yield from _misfits_of_object(value, schema, root, where)


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):  # which Python takes for an integer
        return kind == "boolean"
    return isinstance(value, _PYTHON_TYPES[kind])


def _misfits_of_object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    properties: Schema = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: {name!r} is missing"
    for name, item in value.items():
        if name in properties:
            yield from misfits(item, properties[name], root, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{where}: {name!r} is not in the schema"


def least(schema: Schema, root: Schema | None = None) -> Any:
    """The smallest value that fits `schema`: empty lists and texts, zeros, the first of every choice."""
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    for choice in ("enum", "anyOf", "allOf"):
        if choice in schema:
            first = schema[choice][0]
            return first if choice == "enum" else least(first, root)
    if schema["type"] == "object":
        properties: Schema = schema.get("properties", {})
        return {name: least(properties[name], root) for name in schema.get("required", ())}
    if schema["type"] == "array":
        return [least(schema["items"], root) for _ in range(schema.get("minItems", 0))]
    return _LEAST[schema["type"]]


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema
