"""How tests read a page: its elements, what it says, what it links to, and what would make it unsafe or hard to use."""

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

from starlette.testclient import TestClient

URL = "http://127.0.0.1:4280"
_VOID = {"meta", "link", "input", "br", "hr", "img"}
_ALLOWED = _VOID | {
    "html", "head", "title", "script", "body", "header", "nav", "main", "footer", "section", "article", "aside", "div",
    "p", "span", "a", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "form", "label", "button",
    "select", "option", "datalist", "textarea", "fieldset", "legend", "table", "thead", "tbody", "tr", "th", "td",
    "figure", "figcaption", "details", "summary", "strong", "em", "code", "kbd", "pre", "mark", "ins", "del", "time",
    "blockquote", "q",
}  # fmt: skip
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass
class Element:
    """One element, with what stands in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.problems: list[str] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        if self._open:
            self.problems.append(f"never closed: {[one.tag for one in self._open]}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1].tag if self._open else 'nothing'}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements of a tag with those attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self.elements if one.tag == tag and wanted.items() <= one.attributes.items()]

    @property
    def text(self) -> str:
        """All it says."""
        return " ".join(self.all("html")[0].text.split()) if self.all("html") else ""

    @property
    def links(self) -> list[str]:
        """All that can be followed or is loaded, without the fragment."""
        found = [
            one.attributes[name]
            for one in self.elements
            for name in ("href", "src", "data-context", "action", "formaction")
            if name in one.attributes
        ]
        return [html.unescape(link).partition("#")[0] for link in found]

    def fields(self) -> dict[str, str]:
        """What the form that decides would send, as it stands."""
        form: dict[str, str] = {}
        for one in self.elements:
            name = one.attributes.get("name", "")
            if one.tag == "textarea" and name:
                form[name] = one.text.removeprefix("\n")
            elif one.tag == "input" and name and name not in {"q", "bulk-reason"}:
                is_button = one.attributes.get("type") in {"radio", "checkbox"}
                if not is_button or "checked" in one.attributes:
                    form[name] = one.attributes.get("value", "")
        return form


def dangers(page: Page) -> list[str]:
    """What outside text must never become: other elements, handlers, scripts, links that lead away, hidden characters."""
    found = list(page.problems)
    for one in page.elements:
        if one.tag not in _ALLOWED:
            found.append(f"<{one.tag}>")
        found += [
            f"{name}=" for name in one.attributes if name.startswith("on") or name in {"style", "srcdoc"}
        ]
        if one.tag == "script" and (
            one.text.strip() or not one.attributes.get("src", "").startswith("/static/")
        ):
            found.append("a script that is not ours")
        for name, value in one.attributes.items():
            if name != "value" and _INVISIBLE.search(value):
                found.append(f"{name} hides something: {value!r}")
        if one.tag not in {"html", "body", "main", "form", "textarea"} and _INVISIBLE.search(
            one.text.replace("\n", "").replace("\t", "")
        ):
            found += (
                [] if _only_in_text_areas(page, one) else [f"<{one.tag}> hides something: {one.text[:80]!r}"]
            )
    found += [f"leads away: {link!r}" for link in page.links if link and not re.match(r"/(?!/)", link)]
    return found


def _only_in_text_areas(page: Page, element: Element) -> bool:
    """Whether what hides stands in a field, where it has to stay as it is; the page says so beside it."""
    text = element.text
    for area in page.all("textarea"):
        text = text.replace(area.text, "")
    return not _INVISIBLE.search(text.replace("\n", "").replace("\t", ""))


def barriers(page: Page) -> list[str]:
    """What would stop somebody who does not see the page, or has no mouse."""
    found: list[str] = []
    if len(page.all("h1")) != 1:
        found.append(f"{len(page.all('h1'))} h1")
    found += [f"no {tag}" for tag in ("main", "nav", "header", "footer", "title") if not page.all(tag)]
    if page.all("html")[0].attributes.get("lang") != "en":
        found.append("no language")
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    found += [f"id {name!r} twice" for name in {name for name in ids if ids.count(name) > 1}]
    labelled = {one.attributes.get("for") for one in page.all("label")}
    wrapped = {id(one) for one in _inside_labels(page)}
    for one in page.elements:
        attributes = one.attributes
        is_field = one.tag in {"select", "textarea"} or (
            one.tag == "input" and attributes.get("type") != "hidden"
        )
        named = "aria-label" in attributes or attributes.get("id") in labelled or id(one) in wrapped
        if is_field and not named:
            found.append(f"a field without a label: {attributes}")
        if one.tag in {"a", "button"} and not (one.text.strip() or "aria-label" in attributes):
            found.append(f"<{one.tag}> without words: {attributes}")
        if one.tag == "img" and not attributes.get("alt"):
            found.append("a picture without words")
        if one.tag == "a" and attributes.get("tabindex") == "-1":
            found.append("a link that cannot be reached")
        refers = [attributes[name] for name in ("aria-labelledby", "for", "list") if name in attributes]
        found += [f"names {name!r}, which is not there" for name in refers if name not in ids]
    found += _jumps([int(one.tag[1]) for one in page.elements if re.fullmatch(r"h[1-6]", one.tag)])
    navs = [one.attributes.get("aria-label", "") for one in page.all("nav")]
    if not all(navs):
        found.append("a nav without a name")
    return found


def _inside_labels(page: Page) -> list[Element]:
    """Fields that stand between the tags of a label."""
    found: list[Element] = []
    for place, one in enumerate(page.elements):
        if one.tag == "label" and "for" not in one.attributes:
            following = page.elements[place + 1 : place + 4]
            found += [field for field in following if field.tag in {"input", "select", "textarea"}][:1]
    return found


def _jumps(levels: list[int]) -> list[str]:
    return [f"h{below} under h{above}" for above, below in pairwise(levels) if below > above + 1]


def crawl(client: TestClient, *, each: int = 5, start: str = "/") -> dict[str, Any]:
    """Every kind of page that links lead to, a few of each kind; by address."""
    seen: dict[str, Any] = {}
    counts: dict[str, int] = {}
    waiting = [start]
    while waiting:
        link = waiting.pop(0)
        kind = re.sub(r"(drm|job|outc|memstore)_\w+|/stores/[^/?]+|/changes/\w+|=[^&]*", "*", link)
        if link in seen or counts.get(kind, 0) >= each:
            continue
        counts[kind] = counts.get(kind, 0) + 1
        seen[link] = answer = client.get(link)
        if answer.headers["content-type"].startswith("text/html"):
            waiting += [one for one in Page(answer.text).links if one.startswith("/")]
    return seen
