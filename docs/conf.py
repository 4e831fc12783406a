"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

import agentflows

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "agentflows"
release = version = agentflows.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings", "offline", "references"]
exclude_patterns = ["_ext"]

myst_heading_anchors = 3

default_role = "code"  # docstrings are Markdown, where `x` is code
autodoc_default_options = {"members": True, "undoc-members": True, "exclude-members": "model_config"}
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"  # what a model is made of stands below it, field by field
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = "agentflows"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
