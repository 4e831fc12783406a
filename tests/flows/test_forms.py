"""The forms in Prefect's UI: every parameter has words a person can fill it in by."""

import pytest
from prefect.utilities.callables import parameter_schema

from agentflows.project import FLOWS, load_flow
from tests.conftest import ROOT

pytestmark = pytest.mark.prefect


@pytest.mark.parametrize("name", FLOWS)
def test_every_field_of_a_form_has_a_description(name: str):
    """Prefect shows the docstring's `Args:` beside the fields, and nothing else of a top-level parameter."""
    fields = parameter_schema(load_flow(name, ROOT)).model_dump()["properties"]
    assert [field for field, shown in fields.items() if not shown.get("description")] == []


def test_a_dream_can_be_narrowed_in_the_form():
    """The nested fields carry titles and descriptions of their own."""
    schema = parameter_schema(load_flow("dream", ROOT)).model_dump()
    nested = schema["definitions"]["SessionFilter"]["properties"]
    assert {"since", "until", "outcome", "query", "limit"} <= nested.keys()
    assert all(field.get("title") for field in nested.values())
