"""What a tool call does, in two or three words: `git commit`, `bun run lint`, `Edit`."""

import itertools
import json
import re
import shlex
from typing import Any, cast

_SHELL_TOOL = re.compile(r"bash|shell|exec|terminal|command|cmd", re.IGNORECASE)
_PLAIN_SHELL = re.compile(r"bash|shell|terminal|powershell", re.IGNORECASE)
"""Shell tools by any account, so that their one text is a command whatever its field is called."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9_]*(?:[:-][a-z0-9_]+)*\Z")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")

_WRAPPERS = frozenset(
    {"sudo", "timeout", "time", "nohup", "env", "nice", "exec", "command", "stdbuf", "builtin", "doas"}
)
_WRAPPER_VALUE = {"sudo": {"-u", "-g"}, "nice": {"-n"}, "timeout": {"-s", "-k"}, "env": {"-u"}}
_SETUP_WORDS = """
    cd pushd popd export set source . unset true : echo sleep shopt for done fi esac case
"""
_SETUP = frozenset(_SETUP_WORDS.split())
"""First commands of a chain that only prepare the one that matters."""

_PLAIN_WORDS = """
    ls cat grep egrep rg ag sed awk find rm cp mv mkdir touch chmod chown head tail wc sort uniq which
    kill test diff tree jq tee xargs printf date pwd ps du df ln stat file less more open curl wget tar
    zip unzip ssh scp rsync node deno pytest tsc eslint prettier mypy jest ruby perl php psql sqlite3
    printenv type read cut tr basename dirname realpath pgrep pkill killall lsof nc ping base64 md5sum
    sha256sum echo cd sleep export source set java javac gcc g++ clang bash sh zsh python python3
    pyright
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())
"""Programs whose next word is an operand, not a subcommand."""

_RUNNERS = frozenset({"run", "exec", "x", "dlx", "tool", "compose", "run-script"})
"""Subcommands that name the real command next."""

_VALUE_FLAGS = {
    "git": {"-C", "-c", "--git-dir", "--work-tree"},
    "make": {"-C", "-f"},
    "npm": {"--prefix", "-w"},
    "pnpm": {"--filter", "-C"},
    "docker": {"-f", "--context"},
    "kubectl": {"-n", "--namespace", "--context"},
    "cargo": {"--manifest-path"},
}
"""Flags before the subcommand that take the next word."""


def is_shell(tool: str) -> bool:
    """Whether a tool of that name runs shell commands."""
    return bool(_SHELL_TOOL.search(tool))


def shell_command(tool: str, input_json: str) -> str:
    """The command line a shell tool was given; "" for any other tool or input."""
    if not is_shell(tool):
        return ""
    try:
        given: Any = json.loads(input_json)
    except ValueError:
        return ""
    if not isinstance(given, dict):
        return ""
    fields = cast("dict[str, Any]", given)
    for name in ("command", "cmd", "script"):
        value = fields.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            words = [str(word) for word in cast("list[Any]", value)]
            inner = _inline_script(words)
            return inner or " ".join(words)
    texts = [value for value in fields.values() if isinstance(value, str)]
    return texts[0] if len(fields) == len(texts) == 1 and _PLAIN_SHELL.search(tool) else ""


def commands(command: str) -> list[str]:
    """The commands of a chain (`a && b; c | d`), each a pipeline cut at its first `|`, in order.

    Quotes, `$(…)` and here-documents are respected, so a commit message never counts as a command.
    """
    return [part for part in (_before_pipe(piece) for piece in _pieces(command)) if part]


def command_head(tool: str, input_json: str) -> str:
    """What a call does: the meaningful start of its first meaningful command, or the tool's name.

    `cd app && FOO=1 timeout 60 bun run lint 2>&1 | tail` gives `bun run lint`.
    """
    command = shell_command(tool, input_json)
    if not command:
        return tool
    chain = commands(command)
    heads = [head for head in map(head_of, chain) if head]
    meaningful = [head for head in heads if head.split()[0] not in _SETUP]
    return (meaningful or heads or [tool])[0]


def head_of(command: str) -> str:
    """The program and subcommand of one command; "" when there is none."""
    words = _unwrapped(_words(command))
    if not words:
        return ""
    inner = _inline_script(words)
    if inner:
        nested = [head for head in map(head_of, commands(inner)) if head and head.split()[0] not in _SETUP]
        return nested[0] if nested else words[0]
    program = words[0].rsplit("/", 1)[-1] if words[0].startswith(("/", "~")) else words[0]
    if "/" in program or program in _SETUP:
        return program
    rest = words[1:]
    if program.startswith("python") and rest[:1] == ["-m"] and len(rest) > 1:
        return f"{program} -m {rest[1]}"
    if program in _PLAIN:
        return program
    return " ".join([program, *_subcommands(program, rest)])


def _subcommands(program: str, words: list[str]) -> list[str]:
    """The one or two words that say what `program` is to do."""
    taken: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            if taken and taken[-1] not in _RUNNERS:
                break
            skip = word in _VALUE_FLAGS.get(program, ())
        elif _SUBCOMMAND.match(word):
            taken.append(word)
            if len(taken) == 2 or word not in _RUNNERS:
                break
        else:
            break
    return taken


def _words(command: str) -> list[str]:
    """Shell words; quotes that do not close fall back to blanks."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def _unwrapped(words: list[str]) -> list[str]:
    """Without leading assignments and wrappers such as `sudo` or `timeout 60`."""
    index = 0
    while index < len(words):
        word = words[index]
        if _ASSIGNMENT.match(word) or word in {"(", "{", "!", "then", "do", "else", "if", "while"}:
            index += 1
        elif word in _WRAPPERS:
            index = _after_options(words, index)
        else:
            break
    return [word.lstrip("(") for word in words[index:]]


def _after_options(words: list[str], index: int) -> int:
    """Where the wrapped command starts, after the wrapper at `index` and its options."""
    wrapper = words[index]
    takes = _WRAPPER_VALUE.get(wrapper, set[str]())
    index += 1
    while index < len(words) and words[index].startswith("-"):
        index += 2 if words[index] in takes else 1
    if wrapper == "timeout" and index < len(words):
        index += 1
    return index


def _inline_script(words: list[str]) -> str:
    """The script of `bash -c "…"` (also `-lc`); "" for anything else."""
    if len(words) >= 3 and words[0].rsplit("/", 1)[-1] in {"bash", "sh", "zsh"}:
        for flag, script in itertools.pairwise(words):
            if re.fullmatch(r"-[a-z]*c", flag):
                return script
    return ""


def _before_pipe(piece: str) -> str:
    """A pipeline's first command, without its redirections of output."""
    parts = _split(piece, ("|",))
    first = parts[0] if parts else ""
    return re.sub(r"\s+\d?>>?\s*(?:&\d|\S+)", "", first).strip()


def _pieces(command: str) -> list[str]:
    """The chain's pipelines."""
    found: list[str] = []
    for piece in _split(_without_heredocs(command), ("&&", "||", ";", "\n", "&")):
        stripped = piece.strip()
        group = re.fullmatch(r"\((.*)\)|\{\s(.*)\s\}", stripped, re.DOTALL)
        found.extend(_pieces(group.group(1) or group.group(2) or "") if group else [stripped])
    return found


def _without_heredocs(command: str) -> str:
    """The command line without the bodies of its here-documents."""
    lines: list[str] = []
    ends: list[str] = []
    for line in command.split("\n"):
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            continue
        lines.append(line)
        ends = [match.group(2) for match in _HEREDOC.finditer(line)]
    return "\n".join(lines)


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Cut at separators that stand outside quotes, `$(…)`, parentheses and backticks."""
    parts: list[str] = []
    start = index = depth = 0
    quote = ""
    while index < len(text):
        char = text[index]
        if char == "\\" and quote != "'":
            index += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char in "()":
            depth = max(0, depth + (1 if char == "(" else -1))
        elif depth == 0:
            found = _separator(text, index, separators)
            if found:
                parts.append(text[start:index])
                index += len(found)
                start = index
                continue
        index += 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _separator(text: str, index: int, separators: tuple[str, ...]) -> str:
    """The separator at `index`; the `&` and `|` of `2>&1`, `&>`, `>|` and `||` are none."""
    for separator in separators:
        if text.startswith(separator, index):
            before, after = text[index - 1 : index], text[index + 1 : index + 2]
            if separator == "&" and (before in {">", "<", "&"} or after in {">", "&"}):
                return ""
            if separator == "|" and (before in {">", "|"} or after == "|"):
                return ""
            return separator
    return ""
