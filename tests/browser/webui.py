"""The web page as tests in a browser use it: served over a home, opened by its link, measured as it is drawn."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from playwright.sync_api import Page

from agentflows.home import Home
from agentflows.web import Served

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value, place) => (place < 3 ? value : value / 255));
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat([1]);
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!text || !element.checkVisibility({ checkOpacity: true }) || element.closest(".unseen")) continue;
    const under = ground(element);
    const colour = over(rgba(style.color), under);
    const [high, low] = [light(colour), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 600);
    if (ratio < (isLarge ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} <${element.tagName.toLowerCase()} class="${element.className}"> ${text.slice(0, 40)}`);
  }
  return [...new Set(faint)];
}"""
"""Texts that stand out too little from what is behind them, by WCAG 2's formula: 4.5 to 1, or 3 to 1 for large ones."""


@contextmanager
def served(home: Home, *, can_write: bool = True, is_private: bool = False) -> Generator[Served]:
    """The page over a home, on a free port, until the block ends."""
    site, begun = (
        Served(home, port=0, can_write=can_write, is_private=is_private, reviewer="ada"),
        threading.Event(),
    )
    thread = threading.Thread(target=site.run, kwargs={"begun": begun.set}, daemon=True)
    thread.start()
    try:
        assert begun.wait(120), "the server did not begin"
        yield site
    finally:
        site.stop()
        thread.join(60)


def watched(page: Page) -> list[str]:
    """What the page complains of from now on: errors of scripts, and all that the policy forbids."""
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(f"a dialog: {dialog.message}"))
    return said


def faint(page: Page) -> list[str]:
    """Texts that are hard to read for lack of contrast."""
    return cast("list[str]", page.evaluate(CONTRAST))


def focus(page: Page) -> str:
    """The id of what has the focus."""
    return cast("str", page.evaluate("document.activeElement.id"))
