"""Pictures as a browser draws them: its own fonts decide where a text ends."""

import html
from typing import Any

import pytest
from playwright.sync_api import Page

from agentflows.pictures import STYLESHEET, Shown, markdown_image, picture
from tests.browser.pages import sign_in
from tests.pictures.samples import PLAIN, growth, hostile, recurring, success
from tests.prefect_server import PrefectSite

pytestmark = pytest.mark.browser
_BOXES = """() => [...document.querySelectorAll('svg')].map(svg => {
  const frame = svg.getBoundingClientRect()
  const boxes = [...svg.querySelectorAll('text')].map(text => {
    const box = text.getBoundingClientRect()
    return [box.left - frame.left, box.top - frame.top, box.right - frame.left, box.bottom - frame.top, text.textContent]
  })
  return {wide: frame.width, high: frame.height, boxes}
})"""
_SLACK = 3.0
"""A font's box is higher than its letters."""


def drawn(page: Page, shown: list[Shown]) -> list[dict[str, Any]]:
    """Where Chromium puts the texts of each picture, on a page that forbids every style but its own."""
    policy = "default-src 'none'; style-src 'nonce-own'"
    body = "".join(picture(found, is_inline=True) for found in shown)
    page.set_content(
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
        f'<style nonce="own">svg {{ display: block }} {STYLESHEET}</style>{body}'
    )
    return page.evaluate(_BOXES)


def problems(found: dict[str, Any]) -> list[str]:
    """Texts that run out of the picture, or over one another."""
    told = [
        f"out: {text!r}"
        for left, top, right, bottom, text in found["boxes"]
        if left < -0.5 or top < -_SLACK or right > found["wide"] + 0.5 or bottom > found["high"] + _SLACK
    ]
    for place, (left, top, right, bottom, text) in enumerate(found["boxes"]):
        for left_2, top_2, right_2, bottom_2, other in found["boxes"][:place]:
            beside = right <= left_2 + 0.5 or right_2 <= left + 0.5
            if not (beside or bottom <= top_2 + _SLACK or bottom_2 <= top + _SLACK):
                told.append(f"over: {text!r} {other!r}")
    return told


def test_no_text_runs_out_or_over_another_in_a_real_browser(page: Page):
    """The widths reckoned without a browser are on the safe side, for letters of every script."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    shown = [*PLAIN.values(), *hostile(), success(60, eras=40), growth(300), recurring(900)]
    found = drawn(page, shown)
    assert len(found) == len(shown)
    assert [problem for one in found for problem in problems(one)] == []
    assert complaints == [], "nothing was refused by the policy"


def test_a_picture_follows_the_readers_choice_of_dark(page: Page):
    """By the page's style sheet; the same picture as a file brings its own."""
    page.emulate_media(color_scheme="dark")
    drawn(page, [PLAIN["cost"]])
    ground = "document.querySelector('rect').computedStyleMap().get('fill').toString()"
    assert page.evaluate(ground) == "rgb(21, 24, 28)"
    page.goto("about:blank")
    page.set_content(picture(PLAIN["cost"]))
    assert page.evaluate(ground) == "rgb(21, 24, 28)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.prefect
def test_prefect_shows_a_picture_in_markdown(page: Page, prefect_site: PrefectSite):
    """A newer interface that no longer does must not go unnoticed: it takes `<svg>` out."""
    data = f"# Pictures\n\n{markdown_image(PLAIN['success'])}\n"
    made = prefect_site.call("POST", "/artifacts/", {"key": "pictures", "type": "markdown", "data": data})
    sign_in(page, prefect_site)
    page.goto(f"{prefect_site.url}/artifacts/artifact/{made['id']}")
    image = page.get_by_role("img", name="Success before and after")
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 760
