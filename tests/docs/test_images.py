"""The pictures of the documentation are what the code draws today."""

import re
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


def test_every_screenshot_is_shown_small_and_said_in_words():
    """`python -m docs.screenshots` takes them anew; who cannot see one reads its alternative text."""
    text = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    shown = {name: words for words, name in re.findall(r"!\[([^]]*)\]\(images/([^)]+)\)", text)}
    assert set(shown) == {path.name for path in IMAGES.glob("*.*g")}
    assert all(len(words) > 20 for words in shown.values()), shown
    assert all(path.stat().st_size <= 150_000 for path in IMAGES.glob("*.png"))
