"""The pictures of the documentation are what the code draws today."""

import runpy

from tests.conftest import ROOT

IMAGES = ROOT / "docs" / "images"


def test_the_pictures_of_the_documentation_are_drawn_by_the_code_of_today():
    """`python docs/images/draw.py` draws them anew."""
    drawn: dict[str, str] = runpy.run_path(str(IMAGES / "draw.py"))["images"]()
    for name, svg in drawn.items():
        assert svg == (IMAGES / name).read_text("utf-8"), name
        assert len(svg.encode()) < 100_000
    assert {path.name for path in IMAGES.glob("*.svg")} == set(drawn)
