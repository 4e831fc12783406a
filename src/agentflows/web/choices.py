"""Choices: what a reviewer has marked so far. They travel in the form from page to page; nothing is kept of them here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast, get_args

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, DreamReport
from agentflows.dream.apply import FIXED_KINDS
from agentflows.dream.resolving import ANSWERS, Answer
from agentflows.memory import Entry, parse_entries
from agentflows.review import OPEN, WRITES_NOTHING, claim_of

Verdict = Literal["", "approve", "edit", "reject", "keep-first", "keep-second", "keep-both", "drop"]
"""What was marked; "" is nothing yet. `edit` approves with the reviewer's own text, also as the answer to a flag."""
_VERDICTS = frozenset(get_args(Verdict))


class Choice(BaseModel):
    """What is marked for one change."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict = ""
    reason: str = ""
    """Why it is rejected."""
    text: str = ""
    """The reviewer's own."""
    seen: str = ""
    """`Change.sha256` of what the reviewer looked at."""


class Answering(BaseModel):
    """One way to answer a flag, in plain words."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    label: str
    keeps: str = ""
    """The text that stands afterwards, where it is one of those that are asked about."""


def choices_of(fields: Mapping[str, str]) -> dict[str, Choice]:
    """What a form says of each change."""
    names = dict.fromkeys(name[2:] for name in fields if name.startswith("s-"))
    return {
        name: Choice(
            verdict=_verdict(fields.get(f"v-{name}", "")),
            reason=_lines(fields.get(f"r-{name}", "")).strip(),
            text=_lines(fields.get(f"t-{name}", "")).rstrip("\n"),
            seen=fields[f"s-{name}"],
        )
        for name in names
    }


def fields_of(choices: Mapping[str, Choice], names: Iterable[str]) -> list[tuple[str, str]]:
    """The same as fields, for a page on which those changes are not shown."""
    pairs: list[tuple[str, str]] = []
    for name in names:
        one = choices[name]
        said = {"v": one.verdict, "r": one.reason, "t": one.text}
        pairs += [(f"s-{name}", one.seen), *((f"{key}-{name}", text) for key, text in said.items() if text)]
    return pairs


def _verdict(text: str) -> Verdict:
    return cast("Verdict", text) if text in _VERDICTS else ""


def _lines(text: str) -> str:
    """A form sends every line break as two characters."""
    return text.replace("\r\n", "\n")


def marked(
    choices: Mapping[str, Choice], fields: Mapping[str, str], report: DreamReport
) -> dict[str, Choice]:
    """The choices after one of the buttons that mark several at once was pressed."""
    bulk = fields.get("bulk", "")
    if bulk not in {"approve", "reject", "clear", "approve-rest"}:
        return dict(choices)
    after = dict(choices)
    for change in waiting(report):
        one = after.get(change.change_id, Choice(seen=change.sha256))
        is_meant = f"x-{change.change_id}" in fields
        if bulk == "approve-rest":
            is_meant = change.op != "flag" and not one.verdict
        if not is_meant or (change.op == "flag" and bulk == "approve"):
            continue
        verdict: Verdict = {"approve": "approve", "approve-rest": "approve", "reject": "reject"}.get(bulk, "")  # pyright: ignore[reportAssignmentType]
        reason = fields.get("bulk-reason", "").strip() or one.reason if verdict == "reject" else one.reason
        after[change.change_id] = one.model_copy(update={"verdict": verdict, "reason": reason})
    return after


def waiting(report: DreamReport) -> list[Change]:
    """The changes that a person can decide on now."""
    return [change for change in report.changes if change.status in OPEN]


def is_editable(change: Change) -> bool:
    """Whether a reviewer can give it a text of their own."""
    return change.status == "held" and (
        change.op == "flag" or (bool(change.after) and change.op not in WRITES_NOTHING)
    )


def answers_to(flag: Change, report: DreamReport, files: Mapping[str, str]) -> list[Answering]:
    """Every answer that a flag can be given, as the store is now."""
    entries = _asked_about(flag, files)
    stays = Answering(verdict="keep-both", label="Everything stays as it is")
    if len(entries) != len(flag.entry_ids) or any(entry.kind in FIXED_KINDS for entry in entries):
        return [stays]
    claim = claim_of(report, flag)
    found: list[Answering] = []
    if len(entries) > 1:
        found.append(
            Answering(verdict="keep-first", label="Keep the first, take out the rest", keeps=entries[0].text)
        )
        found.append(
            Answering(
                verdict="keep-second", label="Keep the second, take out the rest", keeps=entries[1].text
            )
        )
    elif claim:
        found.append(Answering(verdict="keep-second", label="Say what the sessions say", keeps=claim))
    drop = "Take all of them out" if len(entries) > 1 else "Take it out"
    return [
        *found,
        stays,
        Answering(verdict="drop", label=drop),
        Answering(verdict="edit", label="Say it in my own words"),
    ]


def _asked_about(flag: Change, files: Mapping[str, str]) -> list[Entry]:
    paths = sorted({name.rpartition("#")[0] for name in flag.entry_ids})
    found = {entry.entry_id: entry for path in paths for entry in parse_entries(path, files.get(path, ""))}
    return [found[name] for name in flag.entry_ids if name in found]


class Orders(BaseModel):
    """What the choices come to, in the words of `agentflows.review`."""

    model_config = ConfigDict(frozen=True)

    approve: tuple[str, ...] = ()
    edits: dict[str, str] = {}
    resolve: dict[str, Answer] = {}
    reject: dict[str, str] = {}
    """Change id → reason."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was decided."""
        return not self.approve and not self.reject


def orders(choices: Mapping[str, Choice], changes: Sequence[Change]) -> Orders:
    """What is to be done with these changes; a text that was left as it is counts as none of one's own."""
    approve: list[str] = []
    edits: dict[str, str] = {}
    resolve: dict[str, Answer] = {}
    reject: dict[str, str] = {}
    for change in changes:
        one = choices.get(change.change_id, Choice())
        if one.verdict == "reject":
            reject[change.change_id] = one.reason
        elif one.verdict:
            approve.append(change.change_id)
            if change.op == "flag" and one.verdict in ANSWERS:
                resolve[change.change_id] = one.verdict
            if one.verdict == "edit" and (
                change.op == "flag" or one.text != _lines(change.after or "").rstrip("\n")
            ):
                edits[change.change_id] = one.text
    return Orders(approve=tuple(approve), edits=edits, resolve=resolve, reject=reject)


def problems(choices: Mapping[str, Choice], changes: Sequence[Change]) -> dict[str, str]:
    """By id, what is missing before a choice can be carried out."""
    found: dict[str, str] = {}
    for change in changes:
        one = choices.get(change.change_id, Choice())
        if one.verdict == "reject" and not one.reason:
            found[change.change_id] = "A rejection needs a reason: later dreams are shown it."
        elif one.verdict == "reject" and change.status == "approved":
            found[change.change_id] = (
                "It is approved already, and its commit was cut off: approving it again finishes it."
            )
        elif one.verdict == "edit" and not one.text.strip():
            found[change.change_id] = "Your own text is empty. Give it, or choose another decision."
        elif one.verdict == "edit" and not is_editable(change):
            found[change.change_id] = (
                f"A change that is a {change.op} writes no text, so there is nothing to edit."
            )
    return found
