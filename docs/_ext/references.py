"""References that cannot go stale: settings, commands and patterns, written from the code when the site is built.

The directives `{settings}`, `{commands}` and `{patterns}` take no content.
"""

import ast
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from agentflows.archive.patterns import PATTERNS
from agentflows.cli import app as command_line
from agentflows.settings import Settings

SAID_ONCE = ("home", "json")
"""Options that every command takes: the page says so once."""


# -- settings ----------------------------------------------------------------------------------------


def settings_page() -> str:
    """Each setting with its variable, type, default and meaning."""
    meanings = setting_meanings()
    return "\n\n".join(_setting(name, meanings.get(name, "")) for name in Settings.model_fields)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return Settings.model_fields[name].alias or f"AGENTFLOWS_{name.upper()}"


def setting_meanings() -> dict[str, str]:
    """What stands below each field of `Settings`; pydantic keeps none of it."""
    (written,) = ast.parse(inspect.getsource(Settings)).body
    body = written.body if isinstance(written, ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, below in itertools.pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
            case _:
                continue
    return found


def _setting(name: str, meaning: str) -> str:
    field = Settings.model_fields[name]
    bounds = ", ".join(_bound(one) for one in field.metadata)
    default = "not set" if field.default in (None, "", {}) else f"`{field.default}`"
    told = f"{_kind(field.annotation)}{f', {bounds}' if bounds else ''}; {default} by default"
    return f"## `{variable(name)}`\n\n{meaning}\n\n*{told}*"


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is dict:
        return "JSON"
    words = {str: "text", int: "a whole number", float: "a number", Path: "a folder"}
    return words.get(annotation, "text, kept secret" if "SecretStr" in str(annotation) else str(annotation))


def _bound(one: object) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "pattern": "like"}
    told = [
        f"{word} `{getattr(one, name)}`"
        for name, word in words.items()
        if getattr(one, name, None) is not None
    ]
    return " ".join(told)


# -- commands ----------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its arguments and options, groups first come first served."""
    root: Any = get_command(command_line)
    return "\n\n".join(
        _command(words, found, level) for words, found, level in walk(root, ("agentflows",), 2)
    )


def walk(command: Any, words: tuple[str, ...], level: int) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    """The commands below one, depth first, with the words that call them and the level of their heading."""
    for name, found in command.commands.items():
        yield (*words, name), found, level
        if hasattr(found, "commands"):
            yield from walk(found, (*words, name), level + 1)


def _command(words: tuple[str, ...], command: Any, level: int) -> str:
    called = " ".join(words)
    parts = [f"{'#' * level} `{called}`", _prose(command.help or ""), _prose(command.epilog or "")]
    if not hasattr(command, "commands"):
        context = typer.Context(command, info_name=called)
        rows = [_row(one, context) for one in command.params if one.name not in SAID_ONCE and not one.hidden]
        parts.append("\n".join(["| argument or option | |", "|---|---|", *rows]) if rows else "")
    return "\n\n".join(part for part in parts if part)


def _row(option: Any, context: typer.Context) -> str:
    name, told = option.get_help_record(context)
    return f"| `{_cell(name)}` | {_cell(_prose(told))} |"


def _prose(text: str) -> str:
    """The text with what Markdown would take for a link, a tag or emphasis kept as it is, and the form of JSON as code."""
    text, _, form = text.partition("JSON: ")
    if form:
        return f"{_prose(text)}\n\nWith `--json`: `{' '.join(form.split())}`"
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\[\]<>*_{}])", r"\\\1", part) for part in parts
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# -- patterns ----------------------------------------------------------------------------------------


def patterns_page() -> str:
    """Every named query: what it shows, its columns, its SQL."""
    return "\n\n".join(map(_pattern, PATTERNS))


def _pattern(pattern: Any) -> str:
    columns = "\n".join(f"| `{name}` | {_cell(told)} |" for name, told in pattern.columns.items())
    return (
        f"## `{pattern.name}`\n\n**{pattern.title}.** {pattern.description}\n\n| column | |\n|---|---|\n{columns}\n\n"
        f"```sql\n{pattern.sql.strip()}\n```"
    )


# -- Sphinx ------------------------------------------------------------------------------------------


def _directive(write: Callable[[], str]) -> type[SphinxDirective]:
    class Reference(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            self.env.note_reread()  # what it is written from is code: no file tells whether that has changed
            return self.parse_text_to_nodes(write(), allow_section_headings=True)

    return Reference


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    for name, write in (
        ("settings", settings_page),
        ("commands", commands_page),
        ("patterns", patterns_page),
    ):
        app.add_directive(name, _directive(write))
    return {"parallel_read_safe": True, "version": "1"}
