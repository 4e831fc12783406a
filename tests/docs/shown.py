"""Output that a page shows between `<!-- name -->` and `<!-- /name -->`, held to what is printed now."""

import os
import re
from pathlib import Path


def check_shown(page: Path, name: str, printed: str) -> None:
    """The page shows what is printed; with `WRITE_DOCS=1` it is made to."""
    block = re.compile(rf"(<!-- {name} -->\n```text\n)(.*?)(```\n<!-- /{name} -->)", re.DOTALL)
    text = page.read_text("utf-8")
    found = block.search(text)
    assert found, f"{page} has no place for {name}"
    if os.environ.get("WRITE_DOCS") == "1":
        page.write_text(block.sub(lambda match: match[1] + printed + match[3], text), "utf-8")
        return
    assert found[2] == printed, f"{page} shows another output; WRITE_DOCS=1 puts this one in"
