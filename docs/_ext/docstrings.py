"""Docstrings as they are written here: `Args:`, `Returns:` and `Raises:` are sections, Markdown is for code and lists.

`sphinx.ext.napoleon` would also take the text before a colon below a field for the field's type.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring

WITH_SECTIONS = ("module", "class", "exception", "function", "method")


def read_sections(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Turn the sections of a function's or a class's docstring into fields."""
    if what in WITH_SECTIONS:
        lines[:] = str(GoogleDocstring(lines)).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Read docstrings so."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", read_sections)
    return {"parallel_read_safe": True, "version": "1"}
