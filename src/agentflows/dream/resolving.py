"""Resolving: a person's answer to a flag, as the ordinary change it comes to.

A flag asks which of several entries holds, or whether one still does. The answer is a change like any other:
it is decided, bound to the store's version, checked and committed in the same way.
"""

from collections.abc import Mapping
from typing import Literal

from agentflows.change import Change
from agentflows.dream.apply import FIXED_KINDS, before_of, fitted
from agentflows.dream.texts import said
from agentflows.errors import UsageError
from agentflows.memory import Entry, parse_entries

Answer = Literal["keep-first", "keep-second", "keep-both", "drop", "edit"]
"""What a person says to a flag.

* `keep-first`: the first entry it names holds, the others go
* `keep-second`: the second holds, the others go; of a flag on one entry, what the sessions say takes its place
* `keep-both`: everything stays as it is; the flag was looked at
* `drop`: all the entries it names go
* `edit`: the reviewer's own text takes the place of all of them
"""
ANSWERS: tuple[Answer, ...] = ("keep-first", "keep-second", "keep-both", "drop", "edit")


def resolved(
    flag: Change, answer: Answer, files: Mapping[str, str], *, text: str = "", claim: str = ""
) -> Change:
    """The change that the answer comes to, over the files as they stand, under the flag's id.

    `text` is the reviewer's own, for `edit`; `claim` is what the sessions behind a flag on one entry say.
    The change keeps the flag's quotes, so that the entry it leaves rests on them.

    Raises:
        UsageError: the flag cannot be answered so; the message says how it can be.
    """
    entries = _entries(flag, files)
    if answer == "keep-both":
        return flag
    if answer == "edit":
        return _rewritten(flag, entries, _worded(flag, text))
    if answer == "keep-second" and len(entries) == 1:
        return _rewritten(flag, entries, _claimed(flag, claim))
    stays = {"keep-first": 0, "keep-second": 1, "drop": -1}[answer]
    goes = [entry for number, entry in enumerate(entries) if number != stays]
    if not goes:
        return flag  # the one entry it is about holds: nothing is written
    return _made(flag, "retire", goes, None, answer)


def _entries(flag: Change, files: Mapping[str, str]) -> list[Entry]:
    if flag.op != "flag":
        msg = f"{flag.change_id} is a {flag.op}, not a flag: approve it, edit it or reject it."
        raise UsageError(msg)
    paths = {name.rpartition("#")[0] for name in flag.entry_ids}
    found = {
        entry.entry_id: entry
        for path in sorted(paths & files.keys())
        for entry in parse_entries(path, files[path])
    }
    gone = [name for name in flag.entry_ids if name not in found]
    if gone:
        msg = f"{flag.change_id} is about {gone[0]}, which does not stand as it stood. Dream again."
        raise UsageError(msg)
    entries = [found[name] for name in flag.entry_ids]
    fixed = next((entry for entry in entries if entry.kind in FIXED_KINDS), None)
    if fixed:
        msg = f"{fixed.entry_id} is a {fixed.kind}, which holds the file together. Answer keep-both, and edit the memory itself."
        raise UsageError(msg)
    return entries


def _worded(flag: Change, text: str) -> str:
    if not text.strip():
        msg = f"`edit` needs the text that {flag.change_id} shall leave. Give it, or answer keep-first, keep-second or drop."
        raise UsageError(msg)
    return text


def _claimed(flag: Change, claim: str) -> str:
    if not claim.strip():
        msg = (
            f"{flag.change_id} names one entry and no sessions speak against it, so there is no second. Answer "
            "keep-first, drop, or edit."
        )
        raise UsageError(msg)
    return claim


def _rewritten(flag: Change, entries: list[Entry], text: str) -> Change:
    if len(parse_entries("/answer.md", text.strip())) != 1:
        msg = f"The text for {flag.change_id} is not one paragraph or list item. Give one entry, or edit the memory itself."
        raise UsageError(msg)
    after = fitted(text, entries[0])
    if len(entries) == 1 and said(after) == said(entries[0].text):
        return flag
    return _made(flag, "supersede" if len(entries) == 1 else "merge", entries, after, "edit")


def _made(
    flag: Change,
    op: Literal["retire", "supersede", "merge"],
    entries: list[Entry],
    after: str | None,
    answer: Answer,
) -> Change:
    return flag.model_copy(
        update={
            "op": op,
            "path": entries[0].path,
            "entry_ids": tuple(entry.entry_id for entry in entries),
            "before": before_of(entries),
            "after": after,
            "reason": f"{flag.reason} A person answered: {answer}.",
            "risks": tuple(dict.fromkeys((*flag.risks, *(("deletes",) if op == "retire" else ())))),
        }
    )
