"""Pictures: the same bytes every time, nothing that runs, nothing that touches, whatever they are given."""

import os
import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from agentflows.pictures import (
    STYLESHEET,
    Count,
    Recurring,
    Row,
    Shown,
    Spending,
    html_page,
    markdown_image,
    picture,
    table_of,
)
from agentflows.pictures import coverage as coverages
from agentflows.pictures import growth as growths
from agentflows.pictures import recurring as recurrings
from agentflows.pictures import spending as spendings
from agentflows.pictures import success as successes
from agentflows.pictures.canvas import Box, Canvas
from agentflows.pictures.theme import COLOURS, Role
from agentflows.pictures.words import Coverage, Growth, Success
from tests.pictures.samples import (
    ALL_KINDS,
    HOSTILE,
    PLAIN,
    SIZES,
    START,
    growth,
    hostile,
    of_size,
    recurring,
    spending,
    success,
)

GOLDENS = Path(__file__).parent / "goldens"
SVG = "{http://www.w3.org/2000/svg}"
SMALL = 60_000
_ALLOWED = {"svg", "title", "desc", "style", "rect", "path", "text", "circle"}


def drawn(found: Shown) -> Canvas:
    """The picture with the places of its texts."""
    match found:
        case Recurring():
            return recurrings.draw(found)
        case Success():
            return successes.draw(found)
        case Spending():
            return spendings.draw(found)
        case Growth():
            return growths.draw(found)
        case Coverage():
            return coverages.draw(found)


def texts(svg: str) -> list[str]:
    """All that is written in a picture, but for what shows when a pointer rests on it."""
    found = ET.fromstring(svg).iter(f"{SVG}text")
    return [(one.text or "") + "".join(child.tail or "" for child in one) for one in found]


def check(found: Shown) -> str:
    """What holds for every picture; returns its SVG."""
    canvas = drawn(found)
    svg = picture(found)
    assert svg == picture(found), "the same data, the same bytes"
    assert len(svg.encode()) < SMALL
    root = ET.fromstring(svg)
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= _ALLOWED
    names = {name for node in root.iter() for name in node.attrib}
    assert not any(name.startswith("on") or "href" in name or name == "style" for name in names)
    assert root.findtext(f"{SVG}title") or not found.title.strip(), "said to who cannot see"
    assert root.findtext(f"{SVG}desc")
    for box in canvas.boxes:
        assert 0 <= box.left <= box.right <= canvas.wide + 0.1, box
        assert 0 <= box.top <= box.bottom <= canvas.high, box
    assert [pair for pair in combinations(canvas.boxes, 2) if touch(*pair)] == []
    return svg


def touch(one: Box, two: Box) -> bool:
    """Whether two texts overlap."""
    beside = one.right <= two.left or two.right <= one.left
    return not (beside or one.bottom <= two.top or two.bottom <= one.top)


@pytest.mark.parametrize("name", PLAIN)
def test_a_picture_looks_as_reviewed(name: str):
    """A changed picture shows in the diff; GOLDENS=write renews them."""
    svg = check(PLAIN[name])
    golden = GOLDENS / f"{name}.svg"
    if os.environ.get("GOLDENS") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(svg, encoding="utf-8")
    assert svg == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("count", SIZES)
def test_nothing_overlaps_or_runs_out_whatever_the_number_of_points(count: int):
    """None, one, two, a column more than fit, ten thousand."""
    for found in of_size(count):
        check(found)


def test_hostile_text_is_drawn_as_text_and_cut():
    """Labels are words of transcripts: no markup, no hidden characters, no pile of marks, nothing longer than its room."""
    for found in hostile():
        svg = check(found)
        assert "<script" not in svg
        assert not any(ord(char) < 32 and char != "\n" for char in svg)
        assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\ufffe\ud800-\udfff]", svg)
        assert "\u0489\u0489\u0489" not in svg


@pytest.mark.parametrize("marks", [1, 40, 1_000])
def test_versions_keep_their_names_apart(marks: int):
    """Where there is no room for all names, the worse and better ones come first."""
    found = success(60, eras=marks)
    svg = check(found)
    if marks > 1:
        assert any("▼ worse" in text for text in texts(svg))
        assert (
            all(not text.startswith("v") or "▼" in text or "▲" in text for text in texts(svg))
            or marks < 1_000
        )


def test_every_time_from_hours_to_centuries_has_its_ticks():
    """From one morning to a thousand years."""
    for step in (
        timedelta(minutes=5),
        timedelta(hours=1),
        timedelta(days=1),
        timedelta(days=9),
        timedelta(days=400),
    ):
        for count in (2, 30, 300, 900):
            check(recurring(count, rows=2, step=step))
            check(success(count))


def test_what_lies_far_from_all_others_squeezes_nothing():
    """A clock that was never set dates a session to 1970: it is left out, and the picture says so."""
    good = recurring(40, rows=1)
    strays = (Count(datetime.fromisoformat("1970-01-01"), 2), Count(datetime.fromisoformat("9999-12-31"), 1))
    both = good.model_copy(update={"all_sessions": (*good.all_sessions, *strays)})
    svg = check(both)
    assert "not drawn: 3 without a date and 3 far from all others" in svg
    assert "sessions per day" in svg
    few = Recurring(
        title="Few", rows=(Row(label="a", sessions=2),), all_sessions=(strays[0], *good.all_sessions[:1])
    )
    assert "sessions per year" in check(few), "two of twenty-two are no strays"


def test_a_strip_shows_when_and_its_numbers_how_often():
    """Columns are whole weeks here, and what is without a date counts for the number alone."""
    counts = (Count(START, 3), Count(START + timedelta(days=1), 2), Count(START + timedelta(days=80), 4))
    row = Row(label="make test fails", sessions=10, counts=counts)
    found = Recurring(title="Errors", rows=(row,), all_sessions=(*counts, Count(START, 1)), undated=1)
    written = texts(check(found))
    assert written[written.index("10") + 1] == "5", "3 and 2 in one week"
    assert "sessions per week" in " ".join(written)
    assert table_of(found).rows == [("make test fails", 10, "2026-09-01", "2026-11-20")]


def test_without_any_date_the_numbers_are_still_drawn():
    """Many logs carry no times."""
    found = Recurring(
        title="Errors", rows=(Row(label="a", sessions=20), Row(label="b", sessions=5)), undated=100
    )
    svg = check(found)
    assert "100 sessions; none says when it started" in svg
    assert "h348v14" in svg, "all sessions"
    assert "h69.6v14" in svg, "a fifth of them"


def test_nothing_to_draw_is_said_in_words():
    """An empty frame with axes would look like a fault."""
    for found in of_size(0):
        assert len(texts(check(found))) == 2
    free = Spending(title="Cost", spent=spending(2).spent[:1])
    free = free.model_copy(
        update={
            "spent": (
                free.spent[0].model_copy(
                    update={
                        "dollars": 0.0,
                        "input_tokens": 0,
                        "cached_tokens": 0,
                        "written_tokens": 0,
                        "output_tokens": 0,
                    }
                ),
            )
        }
    )
    assert "1 dream without a model: nothing was spent" in check(free)


def test_a_worse_version_is_told_by_sign_and_word_not_by_colour_alone():
    """Eight in a hundred men see red and green alike."""
    assert any("▼ worse" in text for text in texts(picture(success(60))))
    assert any(text.startswith("▼ v") for text in texts(picture(recurring(75))))
    assert "▼" in texts(picture(growth(19)))


def test_the_cached_share_is_seen_and_told():
    """It is most of what a dream can save."""
    svg = check(spending(30))
    assert re.search(r"\d+ % of the input from the cache", svg)
    assert "input from the cache" in texts(svg)


def test_what_is_drawn_adds_up_when_columns_stand_for_weeks():
    """Ten thousand dreams are some forty columns, and no dollar is lost between them."""
    dreams = spending(400)
    svg = check(dreams)
    assert "dollars per week" in svg or "dollars per month" in svg
    assert f"${sum(one.dollars for one in dreams.spent):,.0f} at list price" in svg


def test_what_costs_is_told_by_pattern_and_word_not_by_colour_alone():
    """A team's job and a dream are different decisions; and where there are only dreams, nothing else is spoken of."""
    svg = check(spending(30, kinds=ALL_KINDS))
    written = texts(svg)
    assert {"dollars per run", "dreams", "outcomes", "jobs of teams"} <= set(written)
    assert any(text.startswith("10 dreams, 10 outcomes and 10 jobs of teams, $") for text in written)
    over = re.findall(r'<path d="([^"]+)" class="af-ground"', svg)
    assert len(over) == 2, "stripes on outcomes, a slit in jobs"
    assert "dollars per dream" in texts(check(spending(3)))
    assert "dollars per job of a team" in texts(check(spending(3, kinds=("job",))))
    assert 'class="af-ground"/>' not in check(spending(3))
    assert [row[1] for row in table_of(spending(3, kinds=ALL_KINDS)).rows] == list(ALL_KINDS)


def test_a_picture_within_a_page_brings_no_style():
    """A policy without 'unsafe-inline' lets it be; the page's own style sheet has the dark colours."""
    for found in PLAIN.values():
        inline = picture(found, is_inline=True)
        assert "<style" not in inline
        assert " style=" not in inline
        used = set(re.findall(r'class="(af-[a-z-]+)"', inline))
        assert used
        assert all(f".{name}{{" in STYLESHEET for name in used)


def test_two_pictures_in_one_page_have_ids_of_their_own():
    """A reader's aid finds the right title."""
    ids = [name for found in PLAIN.values() for name in re.findall(r'id="([^"]+)"', picture(found))]
    assert len(ids) == len(set(ids)) == 2 * len(PLAIN)


def test_an_image_in_markdown_is_one_line_that_nothing_can_leave():
    """Prefect renders it; a title from outside must not end it."""
    for text in HOSTILE:
        line = markdown_image(recurring(5).model_copy(update={"title": text}))
        assert re.fullmatch(
            r"!\[[^\[\]()<>`!\\\n]*(\([^\[\]()<>`!\\\n]*\))*[^\[\]()<>`!\\\n]*\]\(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+\)",
            line,
        ), line


def test_a_page_has_every_picture_its_numbers_and_nothing_to_load():
    """It can be sent by mail."""
    page = html_page("All <b>", list(PLAIN.values()))
    assert page.count("<svg") == page.count("<table>") == len(PLAIN)
    assert "All &lt;b&gt;" in page
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|<img|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "drm_29" in page
    for found in hostile():
        assert "<script" not in html_page("t", [found])


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(dark: bool):  # noqa: FBT001
    """At least 4.5 to 1, as WCAG asks of small text, on light and on dark ground; bars and lines 3 to 1."""
    least: dict[Role, float] = {
        "ink": 4.5,
        "quiet": 4.5,
        "orange": 4.5,
        "green": 4.5,
        "blue": 3.0,
        "purple": 3.0,
    }
    for role, ratio in least.items():
        assert contrast(COLOURS[role][dark], COLOURS["ground"][dark]) >= ratio, role


def test_neighbours_in_a_stack_are_told_apart_by_lightness():
    """Also in grey print."""
    stacks: tuple[tuple[Role, ...], ...] = (
        ("sky", "blue", "purple", "amber"),
        ("sky", "blue", "grey", "orange"),
        ("green", "grey", "orange"),
    )
    for stack in stacks:
        for one, two in pairwise(stack):
            for dark in (False, True):
                assert contrast(COLOURS[one][dark], COLOURS[two][dark]) >= 1.25, (one, two, dark)


def contrast(one: str, two: str) -> float:
    """WCAG's ratio of two colours."""
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
