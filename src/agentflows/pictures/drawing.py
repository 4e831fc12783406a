"""Drawing: any picture from its data, as SVG, as an image in Markdown, or as a web page that stands by itself."""

import base64
import html
import re
from collections.abc import Sequence

from agentflows.pictures.coverage import coverage_picture
from agentflows.pictures.growth import growth_picture
from agentflows.pictures.lettering import clean
from agentflows.pictures.recurring import recurring_picture
from agentflows.pictures.spending import cost_picture
from agentflows.pictures.success import success_picture
from agentflows.pictures.tables import table_of
from agentflows.pictures.theme import FONT, STYLESHEET
from agentflows.pictures.words import Coverage, Growth, Recurring, Spending, Success

Shown = Recurring | Success | Spending | Growth | Coverage
"""What a picture is drawn from."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_PAGE_STYLE = f"""
body {{ font: 14px/1.5 {FONT}; margin: 2rem auto; max-width: 760px; padding: 0 1rem; color: #1c2430; background: #eef0f3 }}
figure {{ margin: 0 0 2rem }} svg {{ width: 100%; height: auto }}
details {{ margin-top: .5rem }} summary {{ cursor: pointer; color: #59636f }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px; margin-top: .5rem }}
th, td {{ text-align: left; padding: 3px 8px; border-bottom: 1px solid #d5dae0; overflow-wrap: anywhere; vertical-align: top }}
th {{ font-weight: 600 }} td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #e8ebef; background: #0c0e11 }} summary {{ color: #a3adb8 }} th, td {{ border-color: #2c333b }}
}}
"""


def picture(found: Shown, *, is_inline: bool = False) -> str:
    """The picture as SVG text; `is_inline` for a page whose own style sheet holds `STYLESHEET`."""
    match found:
        case Recurring():
            return recurring_picture(found, is_inline=is_inline)
        case Success():
            return success_picture(found, is_inline=is_inline)
        case Spending():
            return cost_picture(found, is_inline=is_inline)
        case Growth():
            return growth_picture(found, is_inline=is_inline)
        case Coverage():
            return coverage_picture(found, is_inline=is_inline)


def markdown_image(found: Shown) -> str:
    """The picture as one line of Markdown that holds it whole.

    Prefect's pages show this, in the old and in the new interface; they take `<svg>` out of Markdown.
    """
    told = re.sub(r"[^\w .,:;%$+-]", " ", clean(found.title))
    data = base64.b64encode(picture(found).encode()).decode()
    return f"![{' '.join(told.split())}](data:image/svg+xml;base64,{data})"


def html_page(title: str, shown: Sequence[Shown]) -> str:
    """A web page with pictures, each with its numbers as a table below. It loads nothing and runs nothing."""
    figures = "".join(
        f"<figure>{picture(found, is_inline=True)}{_table(found)}</figure>\n" for found in shown
    )
    named = html.escape(clean(title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{named}</title>\n'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>{_PAGE_STYLE}{STYLESHEET}</style></head>\n<body><h1>{named}</h1>\n{figures}</body></html>\n"
    )


def _table(found: Shown) -> str:
    table = table_of(found)
    if not table.rows:
        return ""
    numbers = [
        all(isinstance(row[place], int | float) for row in table.rows) for place in range(len(table.columns))
    ]
    head = "".join(
        f"<th{_of_number(is_one)}>{name}</th>" for name, is_one in zip(table.columns, numbers, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_of_number(is_one)}>{html.escape(table.told(cell))}</td>"
            for cell, is_one in zip(row, numbers, strict=True)
        )
        + "</tr>\n"
        for row in table.rows
    )
    return f"<details><summary>The numbers</summary><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"


def _of_number(is_one: bool) -> str:  # noqa: FBT001 - one of two looks
    return ' class="n"' if is_one else ""
