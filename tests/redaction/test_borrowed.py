"""The gitleaks rules come from another package: all of them must work here, or redaction must not start."""

import re

import pytest

from agentflows.errors import SettingsError
from agentflows.redaction.borrowed import load
from agentflows.redaction.formats import CONTEXTS, FORMATS
from agentflows.redaction.personal import PII
from agentflows.redaction.rule import Matcher


def test_every_rule_compiles_and_has_a_kind_that_fits_a_placeholder():
    """A kind with another character would make a placeholder that the next pass does not recognise."""
    for rule in (*load(), *FORMATS, *CONTEXTS, *PII.values()):
        Matcher(rule)
        assert re.fullmatch(r"[a-z0-9-]+", rule.kind)


def test_every_keyword_is_lower_case():
    """Keywords are looked up in the lowered text; one with a capital would silence its rule."""
    for rule in (*load(), *FORMATS, *CONTEXTS, *PII.values()):
        assert all(word == word.lower() for word in rule.keywords), rule.kind


def test_a_missing_rule_file_stops_with_what_to_do():
    """Half the rules must not pass for all of them."""
    with pytest.raises(SettingsError, match="Reinstall"):
        load("a-package-nobody-has")
    with pytest.raises(SettingsError, match="Reinstall"):
        load(file="secretscreen/rules-nobody-has.toml")
