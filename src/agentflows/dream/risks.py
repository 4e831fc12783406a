"""Risks: why a change waits for a person. Signs in a text, never proof that a text is harmless."""

import re
from collections.abc import Sequence
from typing import Literal

from agentflows.change import Change, Pattern, Risk
from agentflows.dream.apply import REMOVING
from agentflows.dream.faithful import doubts, is_worded, prose
from agentflows.dream.nominate import fold
from agentflows.memory import Entry
from agentflows.signature import sentences

MAX_REMOVED_SHARE = 0.2
"""Of a store's entries: a dream that removes more waits as a whole."""
SMALL_STORE = 10
"""Entries below which replacing many of them is no sign of anything."""
MAX_UNREAD = 50
"""New entries that may enter a store of fewer entries with nobody looking at them, each having passed all gates.

A new store doubles with nearly every dream, so the share alone says nothing of it. So many, about what a first dream
over a few hundred sessions has to say, a person can still read through afterwards, and `memory restore` undoes them.
"""
MAX_UNREAD_CHARS = 10_000
"""The same in characters, some four pages: a few long entries can flood a store too."""
MAX_QUARANTINED_SHARE = 0.05
"""Of all lines: a reader that sets more aside no longer understands its source, and what it read is in doubt."""
FEW_LINES = 200
"""Lines below which a share of them means little."""

_ORDERS = re.compile(
    r"""(?ix)
    \b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:instruction|rule|prompt|polic|guideline|previous|prior|above|all)
    | \byou\s+(?:must|should|shall|will|have\s+to)\s+(?:ignore|obey|comply|follow|always|never|not|now)
    | \b(?:obey|comply\s+with|follow)\s+(?:every|all|any|these|this|the\s+(?:following|above))\b
    | \b(?:system|developer)\s+(?:prompt|message|instruction)
    | \b(?:do\s+not|don't|never)\s+(?:tell|inform|mention|reveal|warn|notify|ask)\b
    | \b(?:from\s+now\s+on|henceforth)\b[^.\n]{0,30}\b(?:you|act|behave|respond|pretend)
    | \b(?:you\s+are\s+now|act\s+as|pretend\s+to|new\s+instructions?)\b
    | </?\s*(?:system|assistant|user|human|instructions?|important|admin|tool|function)\b
    | \b(?:system|assistant|human|admin|developer)\s*: | (?:^|\n|[.!?]\s)\s*[-*]?\s*user\s*:
    | \[/?(?:inst|system|sys)\] | <\|[a-z_]+\|>
    """
)
_ACTIONS = re.compile(
    r"""(?ix)
    \b[a-z][a-z0-9+.-]*:// | \bwww\.
    | \b[\w.+-]+@[\w-]+\.[\w.-]+
    | \b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|net|org|io|dev|ai|app|co|sh|cloud|xyz|info|ru|cn|de|eu|uk|fr|internal|local|example|test)\b
    | \b\d{1,3}(?:\.\d{1,3}){3}\b | \blocalhost\b
    | \b[a-z]{2}\d{2}(?:\s?[a-z0-9]{4}){3,}\b | (?<![\d.])\d(?:[\s-]?\d){8,}(?!\d)
    | \bports?\s+\d+ | :\d{2,5}\b
    | `[^`\n]*` | (?:^|\s)\$\s+\w | (?<![\w-])--?[a-z][\w-]*(?:=|\b)
    | \b(?:sudo|curl|wget|chmod|chown|ssh|scp|rm|eval|exec|bash|powershell|pip|pipx|npm|npx|pnpm|yarn|bun|cargo|brew|apt|gem|docker|kubectl)\s+[\w./@-]+
    | \b(?:install|uninstall|upgrade|download|execute|import|depend\s+on)\s+(?:the\s+)?[\w@./-]+
    | \b(?:disable|skip|bypass|turn(?:ing)?\s+off|switch(?:ing)?\s+off|deactivat\w*|suppress|silence|no-verify|remove)\b
    | \b(?:delete|drop|wipe|erase|overwrite|transfer|send|upload|forward|pay|e-?mail|post|publish|grant|share)\b
    """
)
_REVIEW = re.compile(
    r"(?i)\b(?:review\w*|approv\w*|audit\w*|secur\w*|sign[- ]?off|permission\w*|authori[sz]\w*|policy|policies|gates?|gated"
    r"|guard\w*|credential\w*|secrets?|passwords?|tokens?|api[ -]?keys?|sandbox\w*|verif\w*|trust\w*|dreams?|memor(?:y|ies))\b"
)
_SUPPORT_NOTE = re.compile(r"\s*\([^()]*\bsessions?\b[^()]*\)\.?\s*\Z")
_FRAME = re.compile(r"\A\s*Users here often ask to “([^”]*)”: prepare for it\.?\s*\Z")
"""How rules tell of a request: what stands inside must follow from the quotes, the frame is ours and harmless."""
EVERYTHING_WAITS = "everything waits for review"
"""Why a change is held that nothing else speaks against."""


def risks_of(change: Change, pattern: Pattern | None, *, support: int) -> list[tuple[Risk, str]]:
    """Each risk of a change with why, in a fixed order. `pattern` is what it rests on; None for pruning."""
    written = f"{change.heading}\n{_plainly_scoped(change.after or '', pattern)}"
    touched = f"{written}\n{change.before or ''}" if change.op in REMOVING else written
    found: list[tuple[Risk, str]] = []
    if change.op in {"retire", "supersede", "merge"}:
        found.append(("deletes", "text of the store goes"))
    if change.op == "supersede":
        found.append(("contradicts", "it says that an entry no longer holds"))
    signs: tuple[tuple[Risk, str, re.Pattern[str]], ...] = (
        ("instruction_like", written, _ORDERS),
        ("action_bearing", written, _ACTIONS),
        ("about_review", f"{touched}\n{change.reason if change.op in REMOVING else ''}", _REVIEW),
    )
    for risk, text, sign in signs:
        match = sign.search(text)
        if match:
            found.append((risk, f"it has {match.group().strip()[:60]!r}"))
    if pattern is not None:
        found.extend(_evidence_risks(change, pattern, support))
    return found


def _plainly_scoped(text: str, pattern: Pattern | None) -> str:
    """The text with the project it is said of in plain words: the code span around that name is ours, no command."""
    return (
        text.replace(f"In `{pattern.scope}`: ", f"In {pattern.scope}: ", 1)
        if pattern and pattern.scope
        else text
    )


def counted(number: int, what: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _evidence_risks(change: Change, pattern: Pattern, support: int) -> list[tuple[Risk, str]]:
    found: list[tuple[Risk, str]] = []
    lowest = min([change.trust, *(quote.trust for quote in change.quotes)])
    if lowest < 3:
        source = "a tool or page" if lowest == 1 else "an agent"
        found.append(("low_trust", f"it rests on words of {source}"))
    if min(change.support, change.origins) < support:
        found.append(
            (
                "single_support",
                f"{counted(change.support, 'session')} and {counted(change.origins, 'source')}",
            )
        )
    if change.support_against:
        found.append(("uncertain", f"{change.support_against} sessions speak against it"))
    # What a session met is shown by what tools printed, which is held for its trust. What rests on typed words alone
    # must follow from them, whatever kind of lesson its engine calls it.
    if change.after is not None and (lowest == 3 or is_worded(pattern.kind, change.quotes)):
        found.extend(
            ("uncertain", why) for why in doubts(_FRAME.sub(r"\1", own_text(change)), prose(change.quotes))
        )
    return found


def own_text(change: Change) -> str:
    """What a change writes that did not stand in its entries, without the note on its support."""
    old = fold(change.before or "")
    after = _SUPPORT_NOTE.sub("", change.after or "")
    parts = [after[start:end] for start, end in sentences(after)]
    return " ".join(part for part in parts if fold(part) not in old) if old else fold_marker(after)


def fold_marker(text: str) -> str:
    """The text without the list marker before it."""
    return re.sub(r"\A\s*(?:[-*+]|\d+[.)])\s+", "", text)


def decide_risks(change: Change, commit_mode: Literal["review", "auto"]) -> Literal["held", "eligible"]:
    """Whether a change waits for a person.

    Under `review` all do; under `auto` those with any risk, and flags, which only a person can answer.
    """
    if commit_mode == "review" or change.risks or change.op == "flag":
        return "held"
    return "eligible"


def whole_dream_hold(entries: Sequence[Entry], changes: Sequence[Change]) -> str:
    """Why all changes of a dream wait together; "" when they need not."""
    removed = sum(_removes(change) for change in changes)
    if entries and removed > MAX_REMOVED_SHARE * len(entries):
        share = f"{removed} of {len(entries)} entries"
        return f"the dream would remove {share}, more than {MAX_REMOVED_SHARE:.0%}"
    replaced = removed + sum(change.op == "supersede" for change in changes)
    if len(entries) >= SMALL_STORE and replaced > 2 * MAX_REMOVED_SHARE * len(entries):
        share = f"{replaced} of {len(entries)} entries"
        return f"the dream would remove or replace {share}, more than {2 * MAX_REMOVED_SHARE:.0%}"
    return _growth([entry.text for entry in entries], [one for one in changes if _is_unread(one)])


def _is_unread(change: Change) -> bool:
    """Whether a policy could commit the change with nobody looking at it; what has a risk always waits."""
    return not change.risks and change.op != "flag"


def _growth(texts: Sequence[str], changes: Sequence[Change]) -> str:
    """How a store with these texts would more than double by the changes; "" when it would not."""
    added = sum(change.op == "add" for change in changes)
    if added >= max(len(texts), MAX_UNREAD):
        why = f"{added} new entries to {len(texts)} with nobody looking at them"
        return f"the dream would more than double the store: {why}, from {MAX_UNREAD} on that waits"
    held = sum(map(len, texts))
    grown = sum(len(change.after or "") - len(change.before or "") for change in changes if change.after)
    if grown >= max(held, MAX_UNREAD_CHARS):
        why = f"{grown:,} characters more than {held:,} with nobody looking at them"
        return f"the dream would more than double the store: {why}, from {MAX_UNREAD_CHARS:,} on that waits"
    return ""


def intake_hold(quarantined: int, lines: int) -> str:
    """Why a dream waits whole for what it was read from: too many lines that no reader understood; "" when it need not."""
    if lines < FEW_LINES or quarantined <= MAX_QUARANTINED_SHARE * lines:
        return ""
    share = f"{quarantined:,} of {lines:,} lines"
    return f"the readers set aside {share}, more than {MAX_QUARANTINED_SHARE:.0%}: see `agentflows archive stats`"


def _removes(change: Change) -> int:
    """How many entries fewer there are after a change."""
    if change.op == "merge":
        return len(change.entry_ids) - 1
    return len(change.entry_ids) if change.op == "retire" else 0


def hold(
    changes: Sequence[Change],
    entries: Sequence[Entry],
    *,
    commit: Literal["review", "auto"] = "review",
    doubt: str = "",
) -> list[Change]:
    """Set what waits for a person to `held`, each with why; what may be committed stays `proposed`.

    `doubt` is a reason of the caller why the whole dream waits, such as `intake_hold`.
    """
    mass = whole_dream_hold(entries, changes)
    together = "; ".join(part for part in (mass, doubt) if part)
    is_prune = "remove" in mass
    held: list[Change] = []
    for change in changes:
        risks = change.risks
        if is_prune and change.op in {"retire", "merge"}:
            risks = (*(risk for risk in risks if risk != "mass_prune"), "mass_prune")
        if not together and decide_risks(change, commit) == "eligible":
            held.append(change)
            continue
        why = "; ".join(part for part in (together, change.status_reason) if part)
        why = why or ("a flag is for a person" if change.op == "flag" else EVERYTHING_WAITS)
        update = {"status": "held", "status_reason": why, "risks": risks}
        held.append(change.model_copy(update=update))
    return held
