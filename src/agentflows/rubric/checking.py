"""How a check is written: one header line that names its kind, and for some kinds a body.

    command                     body: the shell command
    exists PATH                 no body
    regex PATH                  body: the pattern
    json_schema PATH            body: the JSON schema
    python                      body: module:function

`not` before `exists` or `regex` turns it round. A time limit in seconds is `timeout=30` anywhere in the header of a
fence, `(timeout 30)` at the end of a line. A path with spaces stands in quotes.
"""

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NoReturn, cast, get_args

from agentflows.rubric.words import Check, CheckKind

KINDS: tuple[CheckKind, ...] = get_args(CheckKind)
MAX_TIMEOUT_SECONDS = 3600

_TIMEOUT_WORD = re.compile(r"(?:^|(?<=\s))timeout=(\S*?)s?(?=\s|$)")
_TIMEOUT_END = re.compile(r"\(timeout[= ]([^\s)]*?)\s?s?\)$")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_CODE = re.compile(r"\A(`+)(?!`)(.+?)(?<!`)\1\Z", re.DOTALL)

Refuse = Callable[[str, str], Any]
"""Raises; takes what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a check, understood."""

    kind: CheckKind
    negated: bool
    timeout_seconds: float
    path: str
    rest: str
    """What follows the path (`regex`, `json_schema`) or the kind (`command`, `python`): the body in one line."""


def uncoded(text: str) -> str:
    """The text without the backticks that enclose the whole of it."""
    found = _CODE.match(text.strip())
    return found[2].strip() if found else text.strip()


def parse_check(header: str, body: str | None, refuse: Refuse) -> Check:
    """The check that a header and, where it was fenced, a body describe.

    Args:
        header: what follows `check` in the info string of the fence, or `check:` in a line.
        body: the content of the fence, or None for a check written in one line.
        refuse: raises with what is wrong.

    Raises:
        RubricError: it is no check that could run.
    """
    text, seconds = _without_timeout(header.strip(), _TIMEOUT_END if body is None else _TIMEOUT_WORD, refuse)
    head = _header(text, seconds, refuse)
    block = _without_blank_ends(body or "")
    if block and head.rest:
        refuse(
            f"expected the {head.kind} either after `check` or in the block below, found both",
            "Keep one of them.",
        )
    content = block or head.rest
    if head.kind == "exists":
        if content:
            refuse(f"expected nothing after the path, found {content!r}", "Quote a path that has spaces.")
    elif not content:
        refuse(f"expected {_WANTED[head.kind]}, found nothing", f"Write it: {_FORMS[head.kind]}")
    return _checked(head, content, refuse)


_WANTED = {
    "command": "a shell command",
    "regex": "a pattern",
    "json_schema": "a JSON schema",
    "python": "a function as module:function",
    "exists": "a path",
}
_FORMS = {
    "command": "```check command, the command in the lines below, and ```.",
    "regex": "```check regex CHANGELOG.md, the pattern in the line below, and ```.",
    "json_schema": "```check json_schema report.json, the schema in the lines below, and ```.",
    "python": "`check: python mypackage.checks:has_total`.",
    "exists": "`check: exists docs/*.md`.",
}


def _checked(head: Header, content: str, refuse: Refuse) -> Check:
    common: dict[str, Any] = {"kind": head.kind, "timeout_seconds": head.timeout_seconds}
    if head.kind == "command":
        return Check(**common, command=content)
    if head.kind == "python":
        return Check(**common, function=_function(content, refuse))
    common["path"] = _path(head, refuse)
    if head.kind == "json_schema":
        return Check(**common, json_schema=_schema(content, refuse))
    common["negated"] = head.negated
    return Check(**common, pattern=_pattern(content, refuse) if head.kind == "regex" else "")


def _without_blank_ends(body: str) -> str:
    lines = body.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def _header(text: str, timeout: float, refuse: Refuse) -> Header:
    if _CODE.match(text):
        return Header("command", negated=False, timeout_seconds=timeout, path="", rest=uncoded(text))
    word, rest = _first(text)
    negated = word.lower() == "not"
    if negated:
        word, rest = _first(rest)
    kind = word.lower() or "command"
    if kind not in KINDS:
        refuse(
            f"expected a kind of check ({', '.join(KINDS)}) or a command in backticks, found {text!r}",
            "Write for instance `check: exists CHANGELOG.md`, or put the command in backticks.",
        )
    if negated and kind not in {"regex", "exists"}:
        refuse(f"`not` turns only exists and regex round, found `not {kind}`", "Turn the check itself round.")
    path = ""
    if kind in {"regex", "exists", "json_schema"}:
        path, rest = _quoted(rest, refuse)
    rest = rest.strip()
    return Header(
        cast("CheckKind", kind), negated, timeout, path, rest if kind == "json_schema" else uncoded(rest)
    )


def _without_timeout(text: str, form: re.Pattern[str], refuse: Refuse) -> tuple[str, float]:
    """The header without its time limit, and the limit in seconds."""
    found = form.search(text)
    if not found:
        return text, float(Check.model_fields["timeout_seconds"].default)
    try:
        seconds = float(found[1])
    except ValueError:
        seconds = 0
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        refuse(
            f"expected a timeout in seconds above 0 and up to {MAX_TIMEOUT_SECONDS}, found {found[1]!r}",
            "Write for instance timeout=30.",
        )
    return (text[: found.start()] + text[found.end() :]).strip(), seconds


def _first(text: str) -> tuple[str, str]:
    parts = text.split(maxsplit=1)
    return (parts[0] if parts else "", parts[1] if len(parts) > 1 else "")


def _quoted(text: str, refuse: Refuse) -> tuple[str, str]:
    """The first word, which may be in quotes or backticks, and the rest as it stands."""
    text = text.strip()
    found = re.match(r"""`([^`]+)`|'([^']*)'|"([^"]*)"|(\S+)""", text)
    if not found:
        refuse("expected a path, found nothing", "Name the file or glob, relative to the deliverables.")
        return "", ""
    return next(group for group in found.groups() if group is not None), text[found.end() :]


def _path(head: Header, refuse: Refuse) -> str:
    parts = PurePosixPath(head.path)
    if not head.path.strip() or parts.is_absolute() or ".." in parts.parts or "\x00" in head.path:
        refuse(
            f"expected a path or glob inside the deliverables, found {head.path!r}",
            "Write it relative to the workspace, without `..`.",
        )
    return head.path


def _function(text: str, refuse: Refuse) -> str:
    if not _FUNCTION.fullmatch(text):
        refuse(f"expected a function as module:function, found {text!r}", f"Write {_FORMS['python']}")
    return text


def _pattern(text: str, refuse: Refuse) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a later Python may read otherwise is still valid now
            re.compile(text, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        refuse(f"expected a regular expression, found {text!r} ({error})", "Mend it, or escape with \\ .")
    return text


def _schema(text: str, refuse: Refuse) -> dict[str, Any]:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        schema: Any = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        refuse(f"expected a JSON schema, found text that is no JSON ({error})", "Mend the JSON.")
        return {}
    if not isinstance(schema, dict):
        refuse(
            f"expected a JSON schema (an object), found {schema!r}", 'Write for instance {"type": "object"}.'
        )
        return {}
    found = cast("dict[str, Any]", schema)
    try:
        validator_for(found).check_schema(found)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "its top"
        refuse(
            f"expected a valid JSON schema, found a mistake at {where} ({error.message})", "Mend the schema."
        )
    return found


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _quotes(path: str) -> str:
    if not re.search(r"""[\s`'"]""", path):
        return path
    return f'"{path}"' if '"' not in path else f"'{path}'"


def _plain_json(schema: dict[str, Any]) -> str:
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    is_text = not re.search("[\ud800-\udfff]", text)
    return text if is_text else json.dumps(schema, indent=2)


def check_words(check: Check) -> tuple[str, str]:
    """The check as its header and body: the inverse of `parse_check`."""
    words = ["not"] if check.negated else []
    words.append(check.kind)
    if check.kind in {"regex", "exists", "json_schema"}:
        words.append(_quotes(check.path))
    if check.timeout_seconds != Check.model_fields["timeout_seconds"].default:
        words.append(f"timeout={check.timeout_seconds:g}")
    body = {
        "command": check.command,
        "regex": check.pattern,
        "json_schema": _plain_json(check.json_schema),
        "python": check.function,
        "exists": "",
    }[check.kind]
    return " ".join(words), body
