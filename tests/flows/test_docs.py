"""Every command of the documentation that runs a flow does what its page says, on a Prefect server."""

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tests.docs.pages import Page, pages
from tests.docs.starts import check_page

pytestmark = pytest.mark.prefect


LONG = {"docs/operating.md", "docs/outcomes.md", "docs/probes.md"}
PAGES = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in LONG else [])
    for page in pages()
    if page.needs_prefect
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: Page, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """Its commands are pasted by people who have just met the project."""
    check_page(page, tmp_path, tmp_path_factory, PREFECT_API_URL=PREFECT_API_URL.value() or "")
