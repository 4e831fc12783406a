"""The site loads nothing from elsewhere: it is read where there is no network, and nobody is told that it is read."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_FOREIGN = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//[^\"']+|url\([\"']?(?:https?:)?//[^)]+|@import [\"']?(?:https?:)?//\S+"
)


def check_pages(app: Sphinx, failed: Exception | None) -> None:
    """Look through what was written.

    Raises:
        ExtensionError: a page or style sheet would load something from elsewhere; the message names it.
    """
    if failed or app.builder.format != "html":
        return
    files = [path for path in sorted(Path(app.outdir).rglob("*")) if path.suffix in {".html", ".css"}]
    found = [
        f"{path.relative_to(app.outdir)}: {match[0]}"
        for path in files
        for match in _FOREIGN.finditer(path.read_text("utf-8"))
    ]
    if found:
        message = (
            f"The site would load from elsewhere. Ship it in docs/_static instead: {'; '.join(found[:5])}"
        )
        raise ExtensionError(message)


def setup(app: Sphinx) -> dict[str, Any]:
    """Look when the site is built."""
    app.connect("build-finished", check_pages)
    return {"parallel_read_safe": True, "version": "1"}
