"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

import agentflows

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "agentflows"
copyright = "the agentflows authors"  # noqa: A001 - Sphinx's name for it
release = version = agentflows.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "references"]
exclude_patterns = ["_ext"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

default_role = "code"  # docstrings are Markdown: `x` is code there, and now here
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "agentflows"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
