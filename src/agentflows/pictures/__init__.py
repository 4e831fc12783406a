"""Pictures: counts and rates over time as SVG, from plain data, the same data always giving the same bytes.

recurring_picture(Recurring)   how often each error, correction or workflow came up
success_picture(Success)       how sessions ended before and after each version of a memory
cost_picture(Spending)         what dreams, outcomes and jobs of teams cost, in dollars and in tokens
growth_picture(Growth)         how a memory grew and shrank
coverage_picture(Coverage)     which sessions dreams read

picture(…)                     any of them; markdown_image(…) and html_page(…) the same for Markdown and as a page
table_of(…)                    its numbers

No picture has a script or an address in it. Each is a file of its own; with `is_inline=True` it goes into a page whose
own style sheet holds `STYLESHEET`, and needs neither a `<style>` nor a `style=` there. What the data says is escaped.
"""

from agentflows.pictures.coverage import coverage_picture
from agentflows.pictures.drawing import Shown, html_page, markdown_image, picture
from agentflows.pictures.growth import growth_picture
from agentflows.pictures.recurring import recurring_picture
from agentflows.pictures.spending import cost_picture
from agentflows.pictures.success import success_picture
from agentflows.pictures.tables import Table, table_of
from agentflows.pictures.theme import STYLESHEET
from agentflows.pictures.words import (
    Count,
    Coverage,
    Covered,
    Era,
    Grown,
    Growth,
    Mark,
    Point,
    Rate,
    Recurring,
    Row,
    Spending,
    Spent,
    SpentOn,
    Success,
    Verdict,
)

__all__ = [
    "STYLESHEET",
    "Count",
    "Coverage",
    "Covered",
    "Era",
    "Grown",
    "Growth",
    "Mark",
    "Point",
    "Rate",
    "Recurring",
    "Row",
    "Shown",
    "Spending",
    "Spent",
    "SpentOn",
    "Success",
    "Table",
    "Verdict",
    "cost_picture",
    "coverage_picture",
    "growth_picture",
    "html_page",
    "markdown_image",
    "picture",
    "recurring_picture",
    "success_picture",
    "table_of",
]
