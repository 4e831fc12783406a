"""The forms in Prefect's UI: a person can fill every one of them without reading code, and bad values are refused there."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from agentflows.project import FLOWS, load_flow, load_module
from tests.conftest import ROOT

pytestmark = pytest.mark.prefect

Schema = dict[str, Any]


INTERNAL = {"dream_batch": "dream_batch", "orchestrate_turn": "orchestrate"}
"""Flows that other flows start, and the file each stands in: whoever opens one by mistake should understand it."""


def schema_of(name: str) -> Schema:
    """What Prefect makes the form of."""
    file = INTERNAL.get(name, "")
    flow = getattr(load_module(file, ROOT), name) if file else load_flow(name, ROOT)
    return parameter_schema(flow).model_dump()


def nested(schema: Schema, shown: Schema) -> Schema | None:
    """The model behind a field, when it is one."""
    reference = shown.get("$ref") or shown.get("items", {}).get("$ref")
    return schema["definitions"][reference.rpartition("/")[2]] if reference else None


def fields(name: str) -> Iterator[tuple[str, Schema]]:
    """Every field of a form, nested ones under a dotted name."""
    schema = schema_of(name)
    for field, shown in schema["properties"].items():
        yield field, shown
        model = nested(schema, shown)
        for inner, also in (model or {}).get("properties", {}).items():
            yield f"{field}.{inner}", also


@pytest.mark.parametrize("name", [*FLOWS, *INTERNAL])
def test_every_field_of_a_form_has_a_title_and_a_description(name: str):
    """Words for people: neither a parameter's name with underscores nor nothing."""
    found = dict(fields(name))
    assert [field for field, shown in found.items() if not shown.get("description")] == []
    schema = schema_of(name)
    titles = {
        field: shown.get("title") or (nested(schema, shown) or {}).get("title", "")
        for field, shown in schema["properties"].items()
    } | {field: shown.get("title", "") for field, shown in found.items() if "." in field}
    assert [field for field, title in titles.items() if not title[:1].isupper() or "_" in title] == []


@pytest.mark.parametrize("name", FLOWS)
def test_no_form_has_tabs_or_boxes_in_boxes(name: str):
    """A union shows as tabs without words, and a model within a model as a box in a box."""
    schema = schema_of(name)
    assert [field for field, shown in fields(name) if {"anyOf", "oneOf"} & shown.keys()] == []
    models = [model for shown in schema["properties"].values() if (model := nested(schema, shown))]
    assert [
        field
        for model in models
        for field, shown in model["properties"].items()
        if nested(schema, shown) is not None
    ] == []


@pytest.mark.parametrize("name", FLOWS)
def test_a_form_can_be_sent_as_it_is_shown(name: str):
    """Every field has a default, the most important one comes first and the home folder last."""
    schema = schema_of(name)
    assert schema["required"] == []
    assert list(schema["properties"])[-1] == "home"
    given = {field: shown.get("default") for field, shown in schema["properties"].items()}
    validate(given, schema, raise_on_error=True)


FIRST = {
    "dream": "store",
    "impact": "store",
    "ingest": "path",
    "nightly": "store",
    "orchestrate": "task",
    "outcome": "description",
    "review": "dream_id",
}


@pytest.mark.parametrize("name", FLOWS)
def test_the_first_field_is_the_one_that_matters(name: str):
    """Who changes one thing changes this."""
    assert next(iter(schema_of(name)["properties"])) == FIRST[name]


REFUSED = [
    ("dream", {"engine": "gpt"}),
    ("dream", {"store": ""}),
    ("dream", {"support": 0}),
    ("dream", {"instructions": "x" * 4097}),
    ("dream", {"budget": {"dollars": -1}}),
    ("dream", {"budget": {"tokens": 1.5}}),
    ("dream", {"sessions": {"since": "last week"}}),
    ("dream", {"sessions": {"limit": -1}}),
    ("ingest", {"source": "csv"}),
    ("ingest", {"path": ""}),
    ("impact", {"minimum": 0}),
    ("impact", {"against": "none"}),
    ("nightly", {"commit": "maybe"}),
    ("nightly", {"logs": ""}),
    ("orchestrate", {"limits": {"at_once": 0}}),
    ("orchestrate", {"limits": {"max_dollars": -1}}),
    ("orchestrate", {"dispatch": "both"}),
    ("orchestrate", {"job": "outc_1"}),
    ("outcome", {"max_iterations": 21}),
    ("outcome", {"grading": {"panel": 0}}),
    ("outcome", {"outcome_id": "job_1"}),
]


@pytest.mark.parametrize(("name", "given"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_refused_by_the_form(name: str, given: dict[str, Any]):
    """The server checks a form against its schema before it makes a run: nothing starts, nothing is paid."""
    with pytest.raises(ValidationError, match="Failure reason"):
        validate(given, schema_of(name), raise_on_error=True)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("dream", {"budget": {"dollars": None, "tokens": None}}),
        ("dream", {"sessions": {"since": "7d", "until": "2026-11-01T08:00"}}),
        ("nightly", {"budget": {"dollars": 5}}),
        ("orchestrate", {"limits": {"max_dollars": None, "at_once": 3}}),
        ("outcome", {"outcome_id": "outc_1a2b"}),
        ("outcome", {"max_iterations": None}),
    ],
)
def test_a_field_may_be_emptied(name: str, given: dict[str, Any]):
    """The form sends null for a number that was taken out."""
    validate(given, schema_of(name), raise_on_error=True)
