"""What an error says once paths, numbers and names are taken out of it, so that equal errors count together."""

import re

from agentflows.signature.command import head_of

MAX_SIGNATURE_CHARS = 200

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_TAG = re.compile(r"</?[a-z]+(?:_[a-z]+)*>")
_EXIT = re.compile(
    r"\A\s*[\[(]?(?:(?:the )?(?:command|process) )?(?:exit(?:ed)?|failed|return(?:ed)?|finished|completed)"
    r"(?: with)?(?: an?)?(?: non-zero)?(?: exit)? ?(?:code|status)[:=]? ?(-?\d+)[\])]?\.?\s*\Z",
    re.IGNORECASE,
)
"""A line that gives an exit code and says nothing else."""
_ECHO = re.compile(r"^\s*(?:\$|\+|>)\s+(?=[\w./@-])")
_DECORATION = re.compile(r"^[\W_]*\Z")
_BARE = re.compile(r"(?i)^\W*(?:fail(?:ed|ure)?|errors?|fatal)\W*\Z")
"""A line that says that something failed, and not what."""
_CUE = re.compile(
    r"""(?ix) \b(?: errors? | fail(?:s|ed|ure|ing)? | not\s+(?:found|available|allowed|recognized|supported|permitted|enough)
    | unknown | can(?:not|'t) | could\ not | unable | denied | invalid | unexpected | unrecogni[sz]ed | illegal
    | missing | refused | no\ such | exception | ignored | rejected | conflict | fatal | panic | abort(?:ed)?
    | timed?\s?out | does\ not | doesn't | must | would\ have | is\ not | undefined | unsupported | forbidden
    | has\ been | already\ exists ) \b | ^\s*[×✗✘✖] | ENOENT | EACCES | \b\w+(?:Error|Exception)\b"""
)
_LOUD = re.compile(
    r"^\W*(?:error|fatal|fail(?:ed|ure)?|panic|[A-Z]\w*Error)\b|^\s*[×✗✘✖]|: (?:fatal )?error\b",
    re.IGNORECASE,
)
_NO_CUE = re.compile(
    r"(?i)\bwarn(?:ing)?\b|\b0 (?:errors?|failed|failures|fail)\b|\bno errors?\b|\berrors?: 0\b"
)
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning)\b.*$")

_PLACEHOLDERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+"), "<url>"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.]+\b"), "<email>"),
    (re.compile(r"\[REDACTED:[^\]]*\]"), "<secret>"),
    (re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'|“[^”\n]*”|«[^»\n]*»"), "<str>"),
    (re.compile(r"(?<![\w<])(?:~|\.{1,2})?/(?:[\w.@+-]+/)*[\w.@+-]*(?::\d+)*"), "<path>"),
    (re.compile(r"(?<![\w<])[A-Za-z]:\\\S+"), "<path>"),
    (re.compile(r"(?<![\w<])(?:[\w.@+-]+/)+[\w.@+-]+(?:\(\d+,\d+\)|(?::\d+)*)"), "<path>"),
    (
        re.compile(
            r"(?<![\w<.])[\w-]+\.(?:[cm]?[jt]sx?|py|rs|go|java|rb|md|json|ya?ml|toml|css|html?|sh|txt|lock)\b(?::\d+)*"
        ),
        "<path>",
    ),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (
        re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?)?\b"),
        "<date>",
    ),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"(?i)(?<=error )[A-Z]{1,5}\d{3,5}\b|(?<=error\[)[A-Z]\d{3,5}\b"), "\x00"),
    (
        re.compile(r"\b[A-Za-z_]*\d+[A-Za-z_]+\w*\b|\b[A-Za-z]+[A-Za-z_]*_\d+\w*\b|\b[A-Z]{2,}\d{2,}\b"),
        "<id>",
    ),
    (re.compile(r"(?<![\w<])[-+]?\d+(?:[.,:]\d+)*%?(?![\w>])"), "<n>"),
)


def error_signature(text: str) -> str:
    """The error without its accidents: one line of at most `MAX_SIGNATURE_CHARS`, "" for no text.

    Paths, numbers, hex, ids, dates, URLs and quoted strings become placeholders; tags, ANSI colours and
    `Exit code 1` lines go. Error codes such as `error TS2322` stay, for they name the kind of error.
    """
    start, end = error_line(text)
    line = _TAG.sub(" ", _ANSI.sub("", text[start:end]))
    return _generalised(line)[:MAX_SIGNATURE_CHARS].rstrip()


def error_line(text: str) -> tuple[int, int]:
    """Where the line stands that says what went wrong: `text[start:end]`, without surrounding blanks and tags.

    The first line that says anything if it names a failure; else the first that starts with one (`error: …`,
    `(fail) …`); else the first that mentions one; else the first. Of a Python traceback, the exception;
    of a runner that echoes its steps, only the last step counts. `(0, 0)` when no line says anything.
    """
    lines = [span for span in _lines(text) if _says_something(text[span[0] : span[1]])]
    lines = [span for span in lines if not _BARE.match(text[span[0] : span[1]])] or lines
    if not lines:
        return (0, 0)
    if "Traceback (most recent call last)" in text:
        raised = [span for span in lines if _EXCEPTION.match(text[span[0] : span[1]])]
        if raised:
            return _trimmed(text, raised[-1])
    steps = [start for start, end in _lines(text) if _is_echo(_ANSI.sub("", text[start:end]))]
    lines = [span for span in lines if steps and span[0] > steps[-1]] or lines
    first, *_ = lines
    if not _names_failure(text[first[0] : first[1]]):
        named = [span for span in lines if _names_failure(text[span[0] : span[1]])]
        loud = [span for span in named if _LOUD.search(text[span[0] : span[1]])]
        first = (loud or named or lines)[0]
    return _trimmed(text, first)


def _names_failure(line: str) -> bool:
    return bool(_CUE.search(line)) and not _NO_CUE.search(line)


def exit_code(text: str) -> int | None:
    """The exit code that the first or the last line of a shell's output gives; None when neither gives one."""
    lines = [line for line in _ANSI.sub("", text).strip().split("\n") if line.strip()]
    for line in (lines[:1] + lines[-1:]) if lines else []:
        match = _EXIT.match(_TAG.sub("", line).strip())
        if match:
            return int(match.group(1))
    return None


def failing_step(text: str) -> str:
    """The head of the last command a script runner or hook echoed (`$ biome check …`): the step that failed.

    "" when the output echoes none.
    """
    steps = [_ECHO.sub("", line) for line in _ANSI.sub("", text).split("\n") if _is_echo(line)]
    heads = [head for head in map(head_of, steps) if head]
    return heads[-1] if heads else ""


def _is_echo(line: str) -> bool:
    """Whether the line is a command that a runner echoes before running it."""
    return bool(re.match(r"^\$ [a-z./@][\w./@-]*(?: |$)", line))


def _lines(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def _says_something(line: str) -> bool:
    """Whether a line is more than decoration, an exit code or an echoed command."""
    plain = _TAG.sub("", _ANSI.sub("", line)).strip()
    if not plain or _EXIT.match(plain) or _is_echo(plain):
        return False
    return not _DECORATION.match(plain)


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """Without the blanks and tags around the line."""
    start, end = span
    while True:
        line = text[start:end]
        lead = re.match(r"\s+|<[a-z]+(?:_[a-z]+)*>", line)
        trail = re.search(r"(?:\s+|</[a-z]+(?:_[a-z]+)*>)\Z", line)
        if lead:
            start += lead.end()
        elif trail:
            end -= len(trail.group())
        else:
            return (start, end)


def _generalised(line: str) -> str:
    codes: list[str] = []
    for pattern, placeholder in _PLACEHOLDERS:
        if placeholder == "\x00":
            line = pattern.sub(lambda match: codes.append(match.group()) or "\x00", line)
        else:
            line = pattern.sub(placeholder, line)
    for code in codes:
        line = line.replace("\x00", code, 1)
    line = re.sub(r"[━─═│┃]{2,}", " ", line)
    return " ".join(line.split())
