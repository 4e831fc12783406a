"""Markdown of a memory as HTML: no markup of its own gets through, nothing is fetched, and no link leads away unseen."""

from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from agentflows.memory import Entry
from agentflows.web.text import shown

_DEEPER = 1
"""A memory's own headings stand below those of the page."""
_DEEPEST = 6
Rule = Callable[[Sequence[Token], int], str]


def rendered(text: str) -> Markup:
    """A Markdown text as HTML."""
    return Markup(_PARSER.render(text))  # noqa: S704 - every piece of it went through `shown`


def rendered_entry(entry: Entry) -> Markup:
    """One entry of a memory as HTML. What stands before the text of a file is shown as it is."""
    if entry.kind in {"front_matter", "html"}:
        return Markup("<pre><code>{}</code></pre>").format(shown(entry.text))
    return rendered(entry.text)


def _text(tokens: Sequence[Token], place: int) -> str:
    return shown(tokens[place].content)


def _code(tokens: Sequence[Token], place: int) -> str:
    return f"<code>{shown(tokens[place].content)}</code>"


def _block(tokens: Sequence[Token], place: int) -> str:
    return f"<pre><code>{shown(tokens[place].content)}</code></pre>\n"


def _link(_: Sequence[Token], __: int) -> str:
    return '<span class="link">'


def _link_end(tokens: Sequence[Token], place: int) -> str:
    """What a link leads to, written out: links do not nest, so the nearest one that opened is meant."""
    opened = next(token for token in reversed(tokens[:place]) if token.type == "link_open")
    return f"</span>{_target(opened, 'href')}"


def _picture(tokens: Sequence[Token], place: int) -> str:
    token = tokens[place]
    return f'<span class="link">picture: {shown(token.content)}</span>{_target(token, "src")}'


def _target(token: Token, name: str) -> str:
    return f' <span class="target">({shown(str(token.attrGet(name) or ""))})</span>'


def _heading(tokens: Sequence[Token], place: int) -> str:
    return f"<{_lower(tokens[place].tag)}>"


def _heading_end(tokens: Sequence[Token], place: int) -> str:
    return f"</{_lower(tokens[place].tag)}>\n"


def _lower(tag: str) -> str:
    return f"h{min(int(tag[1]) + _DEEPER, _DEEPEST)}"


_RULES: dict[str, Rule] = {
    "text": _text,
    "code_inline": _code,
    "code_block": _block,
    "fence": _block,
    "html_block": _block,
    "html_inline": _text,
    "link_open": _link,
    "link_close": _link_end,
    "image": _picture,
    "heading_open": _heading,
    "heading_close": _heading_end,
}


class _Shown(RendererHTML):
    """The parser's renderer, with our rules for every piece of outside text."""

    @staticmethod
    def renderAttrs(token: Token) -> str:  # noqa: N802 - the parser's name
        """No attribute but the number a list begins with: alignment would be style, which the page forbids."""
        start = token.attrGet("start")
        return f' start="{int(start)}"' if start is not None else ""


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Shown).enable("table")
    for name, rule in _RULES.items():
        parser.add_render_rule(name, _as_method(rule))
    return parser


def _as_method(rule: Rule) -> Callable[..., str]:
    def method(_: RendererHTML, tokens: Sequence[Token], place: int, *__: object) -> str:
        return rule(tokens, place)

    return method


_PARSER = _parser()
