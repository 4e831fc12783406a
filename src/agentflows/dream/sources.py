"""Sources: what a change is judged by, gathered anew from the archive and the store.

Beside the words a change would write stands what was said around each of its quotes, what users said later, and the
whole text of the entries it touches.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from agentflows.change import Change, Observation, Pattern, Quote
from agentflows.dream.case import Case, Nearness, Passage
from agentflows.dream.faithful import content
from agentflows.dream.heeded import takes_back
from agentflows.dream.quotes import find_turn, is_recalled, typed_text
from agentflows.dream.risks import own_text
from agentflows.memory import Entry, parse_entries
from agentflows.session import Session, Turn
from agentflows.signature import sentences

TURNS_AROUND = 2
"""Turns shown before and after a quote's own."""
MAX_SOURCE_CHARS = 24_000
"""Of all passages of a case, about 6,000 tokens; the entries it touches come whole on top."""
_QUOTED_CHARS, _AROUND_CHARS, _LATER_CHARS = 2_000, 400, 600
"""Characters shown of a quoted turn (besides the quote itself), of a turn beside one, of what a user said later."""
_MAX_LATER = 4
"""Later words of users shown for each session, and from other sessions for each change."""
_ALIKE = 0.5
"""Share of the smaller of two texts' words that make a later saying one about the same thing."""
_NEIGHBOURS = 3
"""Entries shown beside one that is to be retired: another may say the same."""

SessionsOf = Callable[[Sequence[str]], Iterable[Session]]
"""The archive's sessions of these ids, in this order; those it does not hold are left out."""


def cases(
    changes: Sequence[Change],
    files: Mapping[str, str],
    patterns: Sequence[Pattern],
    sessions_of: SessionsOf,
    observations: Iterable[Observation] = (),
) -> list[Case]:
    """A case for each change, in order. Sessions are read one at a time; only excerpts are kept."""
    entries = {entry.entry_id: entry for path in sorted(files) for entry in parse_entries(path, files[path])}
    kinds = {pattern.pattern_id: pattern.kind for pattern in patterns}
    drafts = [_draft(change, entries, kinds) for change in changes]
    found = _passages(drafts, sessions_of)
    later = _elsewhere(drafts, observations)
    return [_filled(draft, found[at], later[at]) for at, draft in enumerate(drafts)]


def _draft(change: Change, entries: Mapping[str, Entry], kinds: Mapping[str, str]) -> Case:
    touched = tuple(entries[name] for name in change.entry_ids if name in entries)
    kind = next((kinds[name] for name in change.pattern_id.split("\n") if name in kinds), "")
    near: tuple[Entry, ...] = ()
    if change.op == "retire":
        near = tuple(_near(touched, list(entries.values())))
    bare = change.model_copy(update={"reason": "", "risks": (), "status_reason": ""})
    return Case(change=bare, kind=kind, claims=claims_of(change), entries=touched, neighbours=near)


def _near(touched: Sequence[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """The entries that share most words with those touched."""
    ours = {word for entry in touched for word in content(entry.text)}
    others = [entry for entry in entries if entry not in touched and content(entry.text) & ours]
    return sorted(others, key=lambda one: (-len(content(one.text) & ours), one.entry_id))[:_NEIGHBOURS]


def claims_of(change: Change) -> tuple[str, ...]:
    """What a change asserts: each sentence that it would write anew, and what its operation says of the entries."""
    written: list[str] = []
    if change.after and change.op not in {"reinforce", "flag"}:
        own = own_text(change)
        written = [own[start:end] for start, end in sentences(own)]
    of_entries = {
        "supersede": "What the replaced entry says, and the new text does not, holds no longer.",
        "retire": "The entry says nothing that still holds and that no other entry says.",
        "merge": "Nothing that one of the entries says is lost or changed.",
        "narrow": "All else that the entry says still stands in it.",
        "reinforce": "The sources say what the entry says, under the same conditions.",
    }
    said = of_entries.get(change.op)
    return (*written, *([said] if said else []))


# -- passages ------------------------------------------------------------------------------------------


def _passages(drafts: Sequence[Case], sessions_of: SessionsOf) -> list[dict[str, list[Passage]]]:
    """For each case, by session: what stands in it around the case's quotes, and later."""
    users: dict[str, list[int]] = {}
    for at, draft in enumerate(drafts):
        for session_id in dict.fromkeys(quote.session_id for quote in draft.change.quotes):
            users.setdefault(session_id, []).append(at)
    found: list[dict[str, list[Passage]]] = [{} for _ in drafts]
    for session in sessions_of(sorted(users)):
        for at in users[session.session_id]:
            found[at][session.session_id] = list(_of_session(drafts[at], session))
    return found


def _of_session(case: Case, session: Session) -> Iterator[Passage]:
    quotes = [quote for quote in case.change.quotes if quote.session_id == session.session_id]
    quoted = {quote.seq for quote in quotes}
    for quote in quotes:
        turn = find_turn(session, quote.seq)
        if turn is not None:
            yield _excerpt(session, turn, "quoted", quote)
    yield from _later(case, session, max(quoted))
    beside = {seq + step for seq in quoted for step in range(-TURNS_AROUND, TURNS_AROUND + 1)} - quoted
    for seq in sorted(beside):
        turn = find_turn(session, seq)
        if turn is not None and turn.kind != "thinking":
            yield _excerpt(session, turn, "around")


def _later(case: Case, session: Session, after: int) -> Iterator[Passage]:
    """What users typed after the last quote about the same thing, or to take something back: the last few."""
    words = {word for claim in case.claims for word in content(claim)}
    words |= {word for quote in case.change.quotes for word in content(quote.text)}
    typed = [turn for turn in session.turns if turn.seq > after and turn.kind == "user" and turn.trust == 3]
    about = [
        turn
        for place, turn in enumerate(typed)
        if place == 0 or takes_back(typed_text(turn)) or len(content(typed_text(turn)) & words) >= 2
    ]
    for turn in about[-_MAX_LATER:]:
        yield _excerpt(session, turn, "later")


def _excerpt(session: Session, turn: Turn, nearness: Nearness, quote: Quote | None = None) -> Passage:
    """A stretch of the turn around the quote, or its beginning; nothing that it recalled from a memory."""
    limit = {"quoted": _QUOTED_CHARS, "around": _AROUND_CHARS}.get(nearness, _LATER_CHARS)
    start, end = 0, min(len(turn.text), limit)
    if quote is not None:
        start = max(0, quote.start - limit // 2)
        end = min(len(turn.text), quote.end + limit // 2)
    text = turn.text[start:end]
    for span in sorted(turn.spans, key=lambda span: -span.start):
        if span.kind == "recalled" and is_recalled(turn, max(start, span.start), min(end, span.end)):
            text = text[: max(0, span.start - start)] + " " + text[max(0, span.end - start) :]
    return Passage(
        session_id=session.session_id,
        seq=turn.seq,
        kind=turn.kind,
        trust=turn.trust,
        at=turn.at,
        nearness=nearness,
        text=text,
        starts=start == 0,
    )


def _elsewhere(drafts: Sequence[Case], observations: Iterable[Observation]) -> list[list[Passage]]:
    """For each case, what users said later in sessions it does not quote, or what was said against it."""
    subjects = [content(" ".join([*case.claims[:1], case.change.before or ""])) for case in drafts]
    by_word: dict[str, set[int]] = {}
    for at, words in enumerate(subjects):
        for word in words:
            by_word.setdefault(word, set()).add(at)
    found: list[list[Passage]] = [[] for _ in drafts]
    for one in observations:
        words = content(one.claim)
        for at in {at for word in words for at in by_word.get(word, ())}:
            if _speaks_later(one, words, drafts[at], subjects[at]):
                found[at].append(_said(one))
    return [sorted(some, key=_recency)[-_MAX_LATER:] for some in found]


def _recency(passage: Passage) -> tuple[str, str, int]:
    return (str(passage.at), passage.session_id, passage.seq)


def _speaks_later(one: Observation, words: Collection[str], case: Case, subject: set[str]) -> bool:
    quotes = case.change.quotes
    if not one.quotes or one.root_id in {quote.root_id or quote.session_id for quote in quotes}:
        return False
    if one.stance == "against" and one.key in case.change.pattern_key:
        return True
    last = max((quote.at for quote in quotes if quote.at), default=None)
    typed = any(quote.kind == "user" and quote.trust == 3 for quote in one.quotes)
    if not typed or one.at is None or last is None or one.at <= last:
        return False
    shared = len(subject & set(words))
    return shared >= 2 and shared >= _ALIKE * min(len(subject), len(words))


def _said(one: Observation) -> Passage:
    quote = max(one.quotes, key=lambda quote: (quote.trust, quote.kind == "user"))
    return Passage(
        session_id=quote.session_id,
        seq=quote.seq,
        kind=quote.kind,
        trust=quote.trust,
        at=one.at,
        nearness="elsewhere",
        text=quote.text,
    )


def _filled(draft: Case, found: Mapping[str, Sequence[Passage]], later: Sequence[Passage]) -> Case:
    """The case with as many passages as fit: quoted ones first, then what came later, then what stands around."""
    order: dict[Nearness, int] = {"quoted": 0, "later": 1, "elsewhere": 1, "around": 2}
    wanted = dict.fromkeys(quote.session_id for quote in draft.change.quotes)
    everything = [passage for name in wanted for passage in found.get(name, ())]
    ranked = sorted([*everything, *later], key=lambda passage: order[passage.nearness])
    room, chosen = MAX_SOURCE_CHARS, list[Passage]()
    for passage in dict.fromkeys(ranked):
        if passage.nearness == "quoted" or len(passage.text) <= room:
            chosen.append(passage)
            room -= len(passage.text)
    held = {(passage.session_id, passage.seq) for passage in chosen if passage.nearness == "quoted"}
    gone = [quote.address for quote in draft.change.quotes if (quote.session_id, quote.seq) not in held]
    return draft.model_copy(update={"passages": tuple(chosen), "missing": tuple(dict.fromkeys(gone))})
