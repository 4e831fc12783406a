"""Propose: what patterns mean for a store, as changes that are valid, new, and one to an entry.

The engine says what it would do. Code checks that it may be done, drops what changes nothing or was
rejected before, lets the best supported win where two want the same entry, and names the risks.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TypeVar

from agentflows.change import Change, ChangeOp, Pattern, Refusal, identity
from agentflows.dream.apply import FIXED_KINDS, REMOVING, WRITING, as_item, before_of, fitted, roomy
from agentflows.dream.cluster import SUPPORT
from agentflows.dream.contest import settle
from agentflows.dream.contrary import Patterns, marked
from agentflows.dream.engine import Engine, Proposal
from agentflows.dream.nominate import EntryIndex, fold, nominate_pairs
from agentflows.dream.risks import risks_of
from agentflows.dream.texts import Problem, goes, said, text_problem
from agentflows.errors import CanaryError, DeferredError, LimitError, ModelOutputError
from agentflows.memory import Entry, check_path, parse_entries

LEARNED = "/learned.md"
"""Where an add goes that names no place."""
NEAREST = 8
"""Entries that an engine sees beside a pattern."""

_HEADINGS = {
    "error": "Errors and what fixes them",
    "correction": "Corrections",
    "preference": "Standing preferences",
    "workflow": "Workflows",
    "fact": "Facts",
    "outcome": "What separates success from failure",
}
_ENTRIES: dict[ChangeOp, tuple[int, int]] = {
    "add": (0, 0),
    "reinforce": (1, 20),
    "narrow": (1, 1),
    "supersede": (1, 1),
    "merge": (2, 20),
    "retire": (1, 1),
    "flag": (1, 20),
}
"""How few and how many entries each operation is about."""
_FROM_STORE: frozenset[ChangeOp] = frozenset({"merge", "retire", "flag"})
"""What may be proposed from the store's own words alone; all else needs quotes."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Desk:
    """Turns proposals into changes, over one base version."""

    dream_id: str
    support: int
    entries: Mapping[str, Entry]
    files: Mapping[str, str]
    standing: frozenset[str]
    """What the store says, as `said` compares it."""
    known: frozenset[tuple[str, str]]
    settled: Mapping[str, Problem]
    """What a person decided before, by memo key: the gate, and why."""
    pinned: frozenset[str] = frozenset()

    def change(self, proposal: Proposal, pattern: Pattern | None) -> Change | Refusal:
        """The change a proposal comes to, or the gate that stops it."""
        proposal = _normalised(proposal, pattern)
        problem = self._problem(proposal, pattern)
        if problem:
            return _refusal(*problem, proposal, pattern)
        touched = self._touched(proposal)
        if touched and pattern is None:
            return _refusal("pinned", f"{touched[0]} is pinned: only a person may touch it", proposal, None)
        if touched:
            proposal = _flagged(proposal, touched)
        change = self._made(proposal, pattern)
        problem = self._vain(change, pattern)
        return _refusal(*problem, proposal, pattern) if problem else change

    def _problem(self, proposal: Proposal, pattern: Pattern | None) -> Problem | None:
        unknown = [name for name in proposal.entry_ids if name not in self.entries]
        if unknown:
            return "invented_id", f"no entry is called {unknown[0][:120]!r}"
        least, most = _ENTRIES[proposal.op]
        if not least <= len(proposal.entry_ids) <= most:
            return (
                "form",
                f"`{proposal.op}` is about {least} to {most} entries, not {len(proposal.entry_ids)}",
            )
        entries = [self.entries[name] for name in proposal.entry_ids]
        fixed = [entry for entry in entries if entry.kind in FIXED_KINDS]
        if fixed and proposal.op in WRITING:
            return "form", f"{fixed[0].entry_id} is a {fixed[0].kind}, which holds the file together"
        if proposal.op not in _FROM_STORE and not (pattern and pattern.quotes):
            return "no_quotes", f"`{proposal.op}` needs quotes, and there are none"
        return self._place_problem(proposal) or self._after_problem(proposal, entries, pattern)

    def _touched(self, proposal: Proposal) -> tuple[str, ...]:
        """The pinned entries that the proposal would retire or rewrite."""
        return tuple(name for name in proposal.entry_ids if proposal.op in REMOVING and name in self.pinned)

    def _place_problem(self, proposal: Proposal) -> Problem | None:
        if proposal.op != "add":
            return None
        try:
            check_path(proposal.path)
        except LimitError as error:
            return "path", str(error)
        if proposal.path not in self.files and not proposal.path.endswith(".md"):
            return "path", f"{proposal.path!r} is not in the store and no Markdown file (.md)"
        if "\n" in proposal.heading or len(proposal.heading) > 120:
            return "form", "its heading is not one short line"
        return None

    def _after_problem(
        self, proposal: Proposal, entries: Sequence[Entry], pattern: Pattern | None
    ) -> Problem | None:
        if proposal.op not in WRITING or proposal.op == "retire":
            return None
        if not (proposal.after or "").strip():
            return "form", f"`{proposal.op}` was proposed without a text"
        return text_problem(proposal.op, self._text(proposal) or "", entries, pattern)

    def _text(self, proposal: Proposal) -> str | None:
        if proposal.op not in WRITING or not proposal.after:
            return None
        if proposal.op == "add":
            return as_item(proposal.after)
        return fitted(proposal.after, self.entries[proposal.entry_ids[0]])

    def _made(self, proposal: Proposal, pattern: Pattern | None) -> Change:
        entries = [self.entries[name] for name in proposal.entry_ids]
        after = self._text(proposal)
        lost = goes(entries, after or "") if proposal.op in {"supersede", "retire"} else ""
        change = Change(
            change_id="",
            dream_id=self.dream_id,
            op=proposal.op,
            path=entries[0].path if entries else proposal.path,
            entry_ids=proposal.entry_ids,
            heading="" if entries else proposal.heading,
            before=before_of(entries) if entries else None,
            after=after,
            reason=f"{proposal.reason.strip()}{lost}",
        )
        if pattern:
            change = change.model_copy(update=_evidence(pattern))
        return with_risks(with_id(change), pattern, proposal.risks, support=self.support)

    def not_rejected(self, changes: Sequence[Change]) -> tuple[list[Change], list[Refusal]]:
        """Joined or moved changes may be what a reviewer rejected, though none of their parts is."""
        kept = [change for change in changes if change.memo_key not in self.settled]
        refusals = [
            Refusal(
                gate=self.settled[change.memo_key][0],
                reason=f"{change.op}: {self.settled[change.memo_key][1]}",
                claim=change.after or change.reason,
                key=change.pattern_key,
            )
            for change in changes
            if change.memo_key in self.settled
        ]
        return kept, refusals

    def _vain(self, change: Change, pattern: Pattern | None) -> Problem | None:
        """Why a change is not worth making: nothing new, known evidence, or a reviewer's no."""
        if change.memo_key in self.settled:
            return self.settled[change.memo_key]
        if change.op == "add" and said(change.after or "") in self.standing:
            return "nothing_new", "the store says it already"
        if change.op in {"narrow", "supersede"} and change.after == change.before:
            return "nothing_new", "the entry would stay as it is"
        if pattern and change.op != "flag" and _is_known(pattern, self.known):
            return "nothing_new", "the store rests on all of this evidence already"
        return None


def _normalised(proposal: Proposal, pattern: Pattern | None) -> Proposal:
    """A proposal with its place filled in, each entry once, and a merge of one entry called what it is."""
    entry_ids = tuple(dict.fromkeys(proposal.entry_ids))
    op: ChangeOp = "narrow" if proposal.op == "merge" and len(entry_ids) == 1 and pattern else proposal.op
    heading = proposal.heading.strip().lstrip("#").strip()
    update: dict[str, object] = {"op": op, "entry_ids": entry_ids, "heading": heading}
    if op == "add":
        default = _HEADINGS[pattern.kind] if pattern else ""
        update |= {"path": proposal.path.strip() or LEARNED, "heading": heading or default}
    return proposal.model_copy(update=update)


def _flagged(proposal: Proposal, touched: tuple[str, ...]) -> Proposal:
    """What sessions say against a pinned entry is put to a person, with its quotes; nothing is written."""
    would = f" It would say: {proposal.after.strip()}" if proposal.after else ""
    reason = f"{touched[0]} is pinned, and sessions suggest to {proposal.op} it: {proposal.reason}{would}"
    return Proposal(op="flag", entry_ids=touched, path=proposal.path, reason=reason, risks=proposal.risks)


def _refusal(gate: str, reason: str, proposal: Proposal, pattern: Pattern | None) -> Refusal:
    claim = pattern.claim if pattern else (proposal.after or proposal.reason)
    return Refusal(
        gate=gate, reason=f"{proposal.op}: {reason}", claim=claim[:1_000], key=pattern.key if pattern else ""
    )


def pattern_key(pattern: Pattern) -> str:
    """What evidence and rejections are kept under: the pattern's key, with its value where values disagree."""
    is_error = pattern.kind in {"error", "outcome", "workflow"}
    return pattern.key if is_error or not pattern.value else f"{pattern.key}|{fold(pattern.value)}"


def _evidence(pattern: Pattern) -> dict[str, object]:
    return {
        "pattern_id": pattern.pattern_id,
        "pattern_key": pattern_key(pattern),
        "support": len(pattern.sessions),
        "support_against": len(pattern.sessions_against),
        "counted": pattern.counted,
        "origins": pattern.origins,
        "trust": pattern.trust,
        "quotes": pattern.quotes,
        "stats": pattern.stats,
    }


def _is_known(pattern: Pattern, known: Collection[tuple[str, str]]) -> bool:
    key = pattern_key(pattern)
    roots = {*pattern.sessions, *(quote.root_id or quote.session_id for quote in pattern.quotes)}
    return all((key, root) in known for root in roots)


def with_id(change: Change) -> Change:
    """The change under the id that its dream, operation, place and text give it."""
    parts = (change.dream_id, change.op, change.path, change.entry_ids, change.heading, change.after)
    return change.model_copy(update={"change_id": f"chg_{identity(*parts)}"})


def with_risks(change: Change, pattern: Pattern | None, named: Iterable[str], *, support: int) -> Change:
    """The change with the risks that code sees and those the engine named, and why."""
    named = tuple(named)
    seen = risks_of(change, pattern, support=support)
    if change.op == "add" and "contradicts" in named:
        seen.append(("contradicts", "an entry, or another lesson, says otherwise"))
    risks = dict.fromkeys([*(risk for risk, _ in seen), *named])
    why = "; ".join(dict.fromkeys(f"{risk.replace('_', ' ')}: {reason}" for risk, reason in seen))
    return change.model_copy(update={"risks": tuple(risks), "status_reason": why})


def propose(  # noqa: PLR0913 - each is a fact of the dream, given by keyword
    patterns: Sequence[Pattern],
    files: Mapping[str, str],
    engine: Engine,
    *,
    dream_id: str,
    instructions: str = "",
    rejected: Mapping[str, str] | None = None,
    undone: Mapping[str, str] | None = None,
    known_evidence: Collection[tuple[str, str]] = (),
    pinned: Collection[str] = (),
    support: int = SUPPORT,
    concurrency: int = 1,
    told: Callable[[int, int], None] = lambda _done, _count: None,
) -> tuple[list[Change], list[Refusal]]:
    """What the patterns mean for the files, best supported first, and what was refused.

    `rejected` maps the memo key of what reviewers rejected to their reason (`rejected_before`), `undone`
    that of what a restore took out again (`undone_before`); `known_evidence` holds each
    (pattern key, root session) that the store rests on already; `pinned` are the ids of entries that only a person may touch:
    what sessions say against one becomes a flag, all else is refused (`pinned`); `concurrency` is how many patterns are put
    to the engine at once, and `told` hears of how many it has spoken, of how many. An unusable answer of the engine is refused under `model_output`, and what the engine
    itself did not let through is counted with the refusals; the rest goes on. Every pattern ends in a change or
    in a refusal: what the engine would do nothing about, and said no more of, is refused under `not_actionable`.
    """
    entries = [entry for path in sorted(files) for entry in parse_entries(path, files[path])]
    known = frozenset((part, root) for key, root in known_evidence for part in key.split("\n"))
    by_id = {entry.entry_id: entry for entry in entries}
    standing = frozenset(said(entry.text) for entry in entries)
    settled = _settled(rejected or {}, undone or {})
    desk = _Desk(dream_id, support, by_id, files, standing, known, settled, frozenset(pinned))
    already = len(engine.dropped)
    judged, refusals = _judged(patterns, EntryIndex(entries), engine, instructions, concurrency, told)
    pruned, unusable = _guarded(lambda: engine.prune(nominate_pairs(entries), instructions), "pruning")
    refusals.extend([unusable] if unusable else [])
    refusals.extend(engine.dropped[already:])
    candidates = [*judged, *((proposal, None) for proposal in pruned or [])]
    changes: list[Change] = []
    for proposal, pattern in candidates:
        made = desk.change(proposal, pattern)
        if isinstance(made, Refusal):
            refusals.append(made)
        else:
            changes.append(made)
    by_pattern = {pattern.pattern_id: pattern for pattern in patterns}
    kept, refused = settle(changes, by_pattern, support=support)
    placed, again = desk.not_rejected(_placed(files, kept))
    return placed, [*refusals, *refused, *again]


def _settled(rejected: Mapping[str, str], undone: Mapping[str, str]) -> dict[str, Problem]:
    """By memo key, the gate and the reason of what a person decided; a reviewer's own no comes first."""
    restored = {key: ("undone_before", f"it was taken out again: {why}") for key, why in undone.items()}
    refused = {key: ("rejected_before", f"a reviewer rejected it: {why}") for key, why in rejected.items()}
    return restored | refused


def _judged(
    patterns: Sequence[Pattern],
    index: EntryIndex,
    engine: Engine,
    instructions: str,
    concurrency: int,
    told: Callable[[int, int], None],
) -> tuple[list[tuple[Proposal, Pattern]], list[Refusal]]:
    """What the engine would do about each pattern, in the order of the patterns; and why not."""
    already = len(engine.dropped)
    together = Patterns(patterns)

    def judge(pattern: Pattern) -> tuple[Proposal | None, Refusal | None]:
        near = index.nearest(pattern, NEAREST)
        proposal, refusal = _guarded(
            lambda: engine.propose(pattern, near, instructions), pattern.claim, pattern.key
        )
        return marked(proposal, pattern, near, together) if proposal else None, refusal

    answers: list[tuple[Proposal | None, Refusal | None]] = []
    with ThreadPoolExecutor(concurrency) if concurrency > 1 else nullcontext() as pool:
        for answer in pool.map(judge, patterns) if pool else map(judge, patterns):
            answers.append(answer)
            told(len(answers), len(patterns))
    judged = [
        (proposal, pattern) for (proposal, _), pattern in zip(answers, patterns, strict=True) if proposal
    ]
    silent = [pattern for answer, pattern in zip(answers, patterns, strict=True) if answer == (None, None)]
    refusals = [refusal for _, refusal in answers if refusal]
    return judged, [*refusals, *_unexplained(silent, engine.dropped[already:])]


def rehearse(
    patterns: Sequence[Pattern], files: Mapping[str, str], engine: Engine, instructions: str
) -> Iterator[str]:
    """Put each pattern to an engine that only writes questions down, as `propose` will ask them; one step each, which names no reading."""
    entries = [entry for path in sorted(files) for entry in parse_entries(path, files[path])]
    index = EntryIndex(entries)
    for pattern in patterns:
        with suppress(DeferredError):
            engine.propose(pattern, index.nearest(pattern, NEAREST), instructions)
        yield ""


def _unexplained(silent: Sequence[Pattern], dropped: Sequence[Refusal]) -> list[Refusal]:
    """A refusal for each pattern that the engine would do nothing about and did not say why."""
    explained = Counter((refusal.key, refusal.claim[:1_000]) for refusal in dropped)
    left: list[Refusal] = []
    for pattern in silent:
        name = (pattern.key, pattern.claim[:1_000])
        if explained[name]:
            explained[name] -= 1
        else:
            reason = f"seen in {len(pattern.sessions)} sessions; the engine saw nothing to do about it"
            left.append(Refusal(gate="not_actionable", reason=reason, claim=name[1], key=pattern.key))
    return left


def _guarded(ask: Callable[[], _T], claim: str, key: str = "") -> tuple[_T | None, Refusal | None]:
    try:
        return ask(), None
    except ModelOutputError as error:
        gate = "canary" if isinstance(error, CanaryError) else "model_output"
        return None, Refusal(gate=gate, reason=str(error), claim=claim, key=key)


def _placed(files: Mapping[str, str], changes: Sequence[Change]) -> list[Change]:
    """Every change in its order, adds with a path that has room for them."""
    # By what they say, not by id: ids differ from home to home, and the order is what `review show` numbers.
    ranked = sorted(changes, key=lambda one: (-one.support, -one.trust, one.path, one.sha256))
    room = iter(roomy(files, [change for change in ranked if change.op == "add"]))
    placed = [next(room) if change.op == "add" else change for change in ranked]
    return [with_id(change) for change in placed]
