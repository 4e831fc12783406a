"""Words for forms: how a parameter of a flow reads in Prefect's form, and what the form refuses.

Prefect calls a field by its parameter's name unless the JSON schema itself carries a title, and shows `X | None` as two
unlabelled tabs: so both are said in the schema, and Python keeps its types.
"""

from typing import Any

from pydantic import Field, GetJsonSchemaHandler, ValidationError

_CONSTRAINTS = {"ge", "gt", "le", "lt", "max_length", "min_length", "pattern"}


def titled(title: str, **words: Any) -> Any:
    """The title of a parameter, within `Annotated[…]`, and what its value must be.

    `words` are pydantic's constraints, or words of the JSON schema such as `enum` and `examples`.
    """
    constraints = {name: words.pop(name) for name in _CONSTRAINTS & words.keys()}
    return Field(json_schema_extra={"title": title, **words}, **constraints)


def faults(error: ValidationError) -> str:
    """What is wrong with what was filled in: the name of each field, and why it cannot be so."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'it'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False)
    )


def may_be_empty(schema: dict[str, Any]) -> None:
    """Show a field of type `X | None` as an X that may be left empty: `Field(json_schema_extra=may_be_empty)`."""
    some = [kind for kind in schema.pop("anyOf", []) if kind.get("type") != "null"]
    if len(some) == 1:
        schema.update(some[0])
    else:
        schema["anyOf"] = some
    schema.pop("default", None)


class _Optional:
    """The same for the parameter of a flow, which has no place for that function: Prefect puts in its own words."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        shown = _WithoutNull(handler(schema))
        may_be_empty(shown)
        return shown


class _WithoutNull(dict[str, Any]):
    """A schema that takes no `default: null`: with it the server refuses the null of a field that was left empty."""

    def __setitem__(self, word: str, value: Any) -> None:
        if word != "default" or value is not None:
            super().__setitem__(word, value)


OPTIONAL = _Optional()
"""Within `Annotated[X | None, titled(…), OPTIONAL]`: an X that may be left empty, its default None."""
