"""Criteria that code could decide: what the check would be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentflows.rubric import Criterion
from agentflows.workbench.lint.vocabulary import (
    COUNTED,
    COUNTING,
    NO_THINGS,
    NUMBERS,
    THIRD_PERSON,
    UNCOUNTED,
)

_FILE = re.compile(r"`?(?<![\w/.])((?:[\w.*-]+/)*[\w*-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,5})(?![\w(/])`?")
_KNOWN_FILE = re.compile(r"`((?:[\w.*-]+/)*(?:Makefile|Dockerfile|LICENSE|README|CHANGELOG|NOTICE))`")
_COMMAND = re.compile(
    r"`([^`\n]+)`(?: command)? (?:passes|succeeds|exits? (?:with )?(?:code )?(?:0|zero)|runs without (?:an )?errors?|ends with exit code 0|is green)"
    r"|\b(?:runs?|running) `([^`\n]+)` (?:passes|succeeds|gives no errors?)",
    re.IGNORECASE,
)
_EXISTS = re.compile(
    r"\b(?:exists?|is (?:there|present)|has been (?:created|written|added))\b", re.IGNORECASE
)
_GONE = re.compile(
    r"\b(?:does not exist|must not exist|is (?:gone|removed|deleted)|has been (?:removed|deleted))\b",
    re.IGNORECASE,
)
_JSON = re.compile(r"\b(?:valid|well-formed|parseable|parses as) JSON\b", re.IGNORECASE)
JSON = "JSON"
"""What a suggestion decides when it is a schema."""
_KEYS = re.compile(r"\b(?:keys?|fields?|property|properties)\b", re.IGNORECASE)
_LITERAL = re.compile(
    r"(?P<not>\b(?:does not|do not|must not|never|doesn't)\b )?\b(?:contains?|mentions?|includes?|has|have|names?|says?|states?|uses?)\b"
    r"(?P<no> no)?(?: the (?:word|words|phrase|text|string|line|heading|term))? (?:`(?P<code>[^`\n]+)`|[\"“](?P<quote>[^\"”\n]+)[\"”])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\b(?:an?|the) (?:heading|section)(?: (?:called|named|titled))? [`\"“]([^`\"”\n]+)[`\"”]", re.IGNORECASE
)
_DATE = re.compile(r"\b(?:ISO(?: 8601)? date|YYYY-MM-DD|date in (?:the )?(?:ISO|form))", re.IGNORECASE)
_VERSION = re.compile(r"\b(?:semantic version|semver|version number)\b", re.IGNORECASE)
_AT_LEAST = {
    "at least": ("-ge", 0),
    "a minimum of": ("-ge", 0),
    "no fewer than": ("-ge", 0),
    "more than": ("-gt", 0),
}
_AT_MOST = {
    "at most": ("-le", 0), "no more than": ("-le", 0), "not more than": ("-le", 0), "up to": ("-le", 0),
    "a maximum of": ("-le", 0), "fewer than": ("-lt", 0), "less than": ("-lt", 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggested:
    """A check that would decide a criterion, as the Markdown under it."""

    what: str
    """What code can decide here, for people."""
    markup: str
    words: str


def file_in(text: str) -> str:
    """The one file a criterion names, or "" when it names none or several."""
    found = {match[1] for pattern in (_FILE, _KNOWN_FILE) for match in pattern.finditer(text)}
    plain = {name for name in found if not re.fullmatch(r"(?:e\.g|i\.e)\w*|\d[\d.]*[a-z]*", name)}
    return plain.pop() if len(plain) == 1 else ""


def _place(text: str) -> str:
    return file_in(text) or "<file>"


def _quoted(path: str) -> str:
    return f"`{path}`" if re.search(r"\s", path) and not path.startswith("<") else path


def suggestions(criterion: Criterion) -> Iterator[Suggested]:
    """The checks that could stand in for a model's judgement of this criterion, most certain first."""
    text = criterion.text
    if found := _COMMAND.search(text):
        yield Suggested("a command's exit code", f"check: `{found[1] or found[2]}`", found[0])
    if _JSON.search(text) or (file_in(text).endswith(".json") and _KEYS.search(text)):
        yield Suggested(JSON, _schema(text), (_JSON.search(text) or _KEYS.search(text) or [""])[0])
    if file_in(text) and (found := _GONE.search(text)):
        yield Suggested("whether a file is there", f"check: not exists {_quoted(file_in(text))}", found[0])
    elif file_in(text) and (found := _EXISTS.search(text)):
        yield Suggested("whether a file is there", f"check: exists {_quoted(file_in(text))}", found[0])
    yield from _texts(text)


def _texts(text: str) -> Iterator[Suggested]:
    place = _quoted(_place(text))
    if found := _HEADING.search(text):
        pattern = rf"^#+ +{re.escape(found[1])}\s*$"
        yield Suggested("a heading", f"```check regex {place}\n{pattern}\n```", found[0])
    elif (found := _LITERAL.search(text)) and (found["code"] or found["quote"]) != file_in(text):
        turned = "not " if found["not"] or found["no"] else ""
        pattern = re.escape(found["code"] or found["quote"]).replace(r"\ ", " ")
        yield Suggested("exact words", f"```check {turned}regex {place}\n{pattern}\n```", found[0])
    if found := _DATE.search(text):
        yield Suggested(
            "the form of a date", f"```check regex {place}\n\\b\\d{{4}}-\\d{{2}}-\\d{{2}}\\b\n```", found[0]
        )
    if found := _VERSION.search(text):
        yield Suggested(
            "the form of a version", f"```check regex {place}\n\\bv?\\d+\\.\\d+\\.\\d+\\b\n```", found[0]
        )


def _schema(text: str) -> str:
    keys = [key for key in re.findall(r"`([\w-]+)`", text) if key != file_in(text)]
    required = ", ".join(f'"{key}"' for key in keys)
    schema = f'{{"type": "object", "required": [{required}]}}' if keys else "{}"
    return f"```check json_schema {_quoted(_place(text))}\n{schema}\n```"


def counted(text: str) -> Suggested | None:
    """What a model would have to count, and the command that counts it; None when there is nothing to count."""
    for found in COUNTING.finditer(text):
        number = NUMBERS.get(found["number"].lower()) or int(found["number"].replace(",", "").strip() or 0)
        thing = found["thing"].lower()
        if thing.split()[-1] in UNCOUNTED | NO_THINGS or number < 2 or (not found["how"] and number > 12):
            continue
        if not found["how"] and thing.split()[-1] in THIRD_PERSON and thing.removesuffix("s") not in COUNTED:
            continue  # `page 3 names the port`
        command = _command(thing, _place(text))
        test, _ = {**_AT_LEAST, **_AT_MOST}.get((found["how"] or "").lower(), ("-eq", 0))
        markup = f'check: `test "$({command})" {test} {number}`'
        return Suggested(thing, markup, found[0].strip())
    return None


def _command(thing: str, place: str) -> str:
    words = thing.split()
    for size in (2, 1):
        name = " ".join(words[-size:])
        singular = name.removesuffix("s")
        if singular in COUNTED:
            return COUNTED[singular].format(file=place)
    return f"grep -c '<what each of the {words[-1]} looks like>' {place}"
