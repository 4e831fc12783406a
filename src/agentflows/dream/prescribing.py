"""Prescribing: whether a memory's text tells to do what was seen to fail, or warns of it.

A rule can name the failing command, or only the program that is to stand before every command; in code
spans or in plain words. A text that speaks against what fails prescribes nothing.
"""

import re

from agentflows.change import Pattern
from agentflows.dream.absent import NOT_THERE
from agentflows.dream.faithful import stands_in

_CODE = re.compile(r"`([^`\n]+)`")
_UNIVERSAL = re.compile(
    r"(?i)\b(?:always|never\s+\w+\s+without|every(?:thing)?|each|all|any(?:thing)?|commands|safe|prefix"
    r"|toujours|tout|immer|alles?|siempre|todo)\b"
)
_PRESCRIBING = re.compile(
    r"(?i)\b(?:use|run|prefix|prepend|wrap|put|pipe|pass|invoke|call|execute|start|begin|type|do|through|via|with"
    r"|utilise[rz]?|lance[rz]?|nutze|verwende|benutze|starte|usa|ejecuta)\b"
)
_BEFORE = (
    r"\b(?:not|never|avoid|no longer|stop|without|instead of|rather than|n't|nicht|nie|kein\w*|statt|jamais|pas|nunca)"
    r"\b[^.;,:\n]{0,30}"
)
_AFTER = r"[^.;\n]{0,20}\b(?:fails?|broken|does(?:n't| not)|is(?:n't| not| gone)|no longer|(?:was|been) removed|deprecated|never)\b"
_WRITING = re.compile(
    r"(?i)\b(?:create|write|generate|save|output|put|add|log|erstelle|schreib\w*|crée|écri\w+|crea)\b"
)


def warns(text: str, failing: str) -> bool:
    """Whether a text speaks against what fails: `do not use X`, `X does not exist`."""
    text = text.replace("’", "'")
    name = rf"(?<![\w-])`?{re.escape(failing)}\b[^`\s]*`?"  # and not `not pnpm` for npm
    return bool(
        re.search(_BEFORE + name, text, re.IGNORECASE) or re.search(name + _AFTER, text, re.IGNORECASE)
    )


def prescribes(text: str, pattern: Pattern) -> float:
    """How plainly a text tells to run what fails: 0 when not; the failing command itself, or a rule for its program."""
    failing, program = pattern.subject, pattern.subject.split(maxsplit=1)[0]
    spans = [span.strip() for span in _CODE.findall(text)]
    if warns(text, failing):
        return 0.0
    if pattern.attribute == NOT_THERE:
        return 3.0 if stands_in(failing, text) and not _WRITING.search(text) else 0.0
    if any(f"{span} ".startswith(f"{failing} ") for span in spans):
        return 3.0
    if not _PRESCRIBING.search(text) or " " not in failing:
        return 0.0
    if stands_in(failing, _CODE.sub(" ", text)):
        return 2.75
    goes_on = pattern.value.split(maxsplit=1)[0] == program
    if goes_on or not (
        any(span == program or _is_form(span, program) for span in spans) or _puts_first(text, program)
    ):
        return 0.0
    rules = len(_UNIVERSAL.findall(text))
    return min(1.0 + rules / 4, 2.5) if rules else 0.0


def tells_to_use(text: str, name: str) -> bool:
    """Whether a text tells to use a program or tool, and does not warn of it."""
    spans = [span.strip().lower() for span in _CODE.findall(text)]
    named = any(span == name or span.startswith(f"{name} ") for span in spans) and _PRESCRIBING.search(text)
    return bool(named or _puts_first(text, name)) and not warns(text, name)


def _puts_first(text: str, program: str) -> bool:
    """Whether a text without code spans tells to use the program: `use X for all commands`."""
    verb = r"\b(?:use|prefix|prepend|wrap|run|put|through|via|with)\s+"
    between = (
        r"(?:(?:the|our|all|every|each|your|shell|commands?|everything|them|with|through|in|by)\s+){0,5}"
    )
    return re.search(verb + between + re.escape(program) + r"(?![\w-])", text, re.IGNORECASE) is not None


def _is_form(span: str, program: str) -> bool:
    """Whether a code span shows how a program stands before others: `tool <command>`, `tool …`."""
    rest = span.removeprefix(f"{program} ").strip()
    return rest != span and bool(re.fullmatch(r"<[^>]+>|\[[^\]]+\]|\{[^}]+\}|\.\.\.|…|[A-Z_]+", rest))
