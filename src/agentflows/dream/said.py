"""What users said: standing preferences, corrections, requests that come back, facts about the project.

Only the user's own typed words count (trust 3, main thread, not pasted, recalled or injected), whole
sentence by whole sentence, and the sentence itself is the claim: rules can find what was said, not say it
better. What was said about one piece of work stays there unless it is said again elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentflows.change import Observation, ObservationKind
from agentflows.dream.heeded import TAKEN_BACK, takes_back
from agentflows.dream.quotes import quote_at, span_trust
from agentflows.dream.replacing import WHICH, replacing, was_called
from agentflows.dream.scopes import scope_of
from agentflows.dream.standing import ANSWERED, is_directive, is_of_the_user, is_passing, is_standing
from agentflows.dream.stated import stated
from agentflows.dream.steps import Step, steps_of
from agentflows.session import Session, Turn
from agentflows.signature import negations, sentences, tokens

_LONG_TURN = 1500
"""Typed text longer than this is a plan, a specification or a paste: only its opening lines are a person talking."""
_OPENING = 400
_MAX_SENTENCE = 400
_MAX_REQUEST = 120
_MAX_CORRECTION = 600

_BLANK = "[REDACTED:"
"""Stands where a secret or an address stood: a sentence without what it is about teaches nothing."""
_DOCUMENT = re.compile(r"(?m)^(?:#{1,4} \S|```|~~~|---$)")
_CORRECTION = re.compile(
    r"""(?ix)
    ^\W*(?: no\b(?!\s+(?:problem|worries|need)) | nope | wrong | not\ (?:that|what|this|like) | that'?s\ (?:not|wrong) | actually
      | wait | stop | revert | undo | it\ should | it\ shouldn'?t | this\ should | i\ (?:was\ talking|meant|said|asked|still\ (?:have|see|get))
      | you\ (?:forgot|missed|broke|didn'?t|should\ have|were\ supposed) | why\ did\ you | are\ you\ sure
      | non\b | faux | ce\ n'est\ pas | je\ voulais | nein | falsch | ich\ meinte | das\ ist\ nicht | incorrecto | eso\ no )
    """
)
_CLOSING = re.compile(r"(?i)\A\W*#+|\bthat'?s (?:all|ok(?:ay)?|fine|it)\b|\bthank")
_NO_COMMAND = re.compile(
    r"(?i)\?\s*$|\b(?:i|i'm|i'd|i've|i'll|my|me|mine)\b|\b(?:is|are|was|were|isn't|aren't|fail(?:s|ed|ing|ures?)?|errors?|broken)\b"
    r"|^\W*(?:hi|hello|hey|thanks?|thank|yes|yeah|yep|no|great|perfect|good|fine|that|it|this|there|everything|sounds)\b"
)
_INTERRUPTED = re.compile(
    r"(?i)request interrupted by user|user doesn't want to proceed|tool use was rejected"
)
_GO_ON = frozenset(
    {
        "continu",
        "go",
        "on",
        "next",
        "proce",
        "proceed",
        "resum",
        "retry",
        "again",
        "now",
        "work",
        "done",
        "clear",
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence a user typed."""

    turn: Turn
    start: int
    end: int
    text: str
    opens: bool
    """Whether it is the first sentence of its turn."""


def said(session: Session) -> list[Observation]:
    """What the session's users asked for, corrected and stated."""
    items, steps = _sentences(session), steps_of(session)
    preferences = [seen for item in items if (seen := _preference(session, item, steps))]
    ruled = {quote.address for seen in preferences if seen.said_outright for quote in seen.quotes}
    corrections = [seen for seen in _corrections(session, items) if seen.quotes[0].address not in ruled]
    facts = [seen for item in items if (seen := _fact(session, item))]
    taken = {(quote.seq, quote.start) for seen in [*preferences, *corrections] for quote in seen.quotes}
    free = [item for item in items if (item.turn.seq, item.start) not in taken]
    return _once([*preferences, *corrections, *facts, *_requests(session, free, steps)])


def typed_turns(session: Session) -> Iterator[Turn]:
    """Turns a person typed into the main thread."""
    return (turn for turn in session.turns if turn.kind == "user" and turn.trust == 3 and not turn.thread)


def _sentences(session: Session) -> list[Said]:
    """The typed sentences, without what was pasted, and of long turns only the opening."""
    found: list[Said] = []
    for turn in typed_turns(session):
        limit = _talk_ends(turn.text)
        spans = [span for span in sentences(turn.text) if span[1] <= limit and span_trust(turn, *span) == 3]
        found.extend(
            Said(turn, start, end, turn.text[start:end], opens=at == 0)
            for at, (start, end) in enumerate(spans)
            if end - start <= _MAX_SENTENCE
            and not turn.text.startswith(("[", "<", "/"), start)
            and _BLANK not in turn.text[start:end]
        )
    return found


def _talk_ends(text: str) -> int:
    """Where a person stops talking and a document begins: at its first heading or fence, or where it runs long."""
    document = _DOCUMENT.search(text)
    limit = document.start() if document else len(text)
    return min(limit, _OPENING) if len(text) > _LONG_TURN else limit


def _preference(session: Session, item: Said, steps: Sequence[Step]) -> Observation | None:
    """A rule for later work: outright when it says so itself, or names a tool of the session to replace."""
    text = ANSWERED.sub("", item.text)
    if is_passing(item.text) or len(tokens(text)) < 2:
        return None
    which, back = replacing(text, steps), takes_back(item.text)
    standing = is_standing(item.text)
    if back and not standing:
        return _observed(session, item, "preference", _topic(text), TAKEN_BACK, outright=True)
    outright = standing or bool(which and was_called(which.old, steps))
    if not outright and not which and not is_directive(text):
        return None
    scope = "" if is_of_the_user(text) else scope_of(session)
    if which is None:
        return _observed(
            session, item, "preference", _topic(text), "asked for", outright=outright, scope=scope
        )
    seen = _observed(session, item, "preference", which.subject, WHICH, outright=outright, scope=scope)
    return seen.model_copy(update={"value": which.new})


def _corrections(session: Session, items: Sequence[Said]) -> list[Observation]:
    """Short turns that set the agent right: by their words, or because they follow an interruption."""
    found: list[Observation] = []
    first = {item.turn.seq: item for item in reversed(items)}
    interrupted = False
    worked = False
    for turn in session.turns:
        if turn.thread:
            continue
        if turn.kind in {"agent", "tool_call"}:
            worked, interrupted = True, False
        if turn.kind in {"system", "tool_result", "user"} and _INTERRUPTED.search(turn.text[:300]):
            interrupted = True
            continue
        if turn.kind != "user" or turn.trust != 3 or len(turn.text) > _MAX_CORRECTION:
            continue
        item = first.get(turn.seq)
        is_right = item and not _CLOSING.search(item.text) and not _is_go_on(item.text)
        if item and is_right and worked and (interrupted or _CORRECTION.search(item.text)):
            found.append(_observed(session, item, "correction", _topic(item.text), "corrected"))
        interrupted = False
    return found


def _requests(session: Session, items: Sequence[Said], steps: Sequence[Step]) -> list[Observation]:
    """Short commands about how work ends or goes on, whose words name what was done next.

    Only with an object, for "commit" alone teaches nothing, and only commands: thanks, answers and what
    the speaker needs are none.
    """
    found: list[Observation] = []
    for item in items:
        words = request_words(item.text)
        alone = len(item.turn.text.strip()) <= _MAX_REQUEST
        if not item.opens or not alone or not 2 <= len(words) <= 5 or _NO_COMMAND.search(item.text):
            continue
        if any(char.isdigit() for char in item.text) or negations(item.text) or _CORRECTION.search(item.text):
            continue
        if words & _done_after(session, steps, item.turn):
            found.append(_observed(session, item, "workflow", " ".join(sorted(words)), "asked for"))
    return found


def _done_after(session: Session, steps: Sequence[Step], turn: Turn) -> set[str]:
    """The words of the commands, tools and files of the work up to the user's next turn."""
    later = [other.seq for other in typed_turns(session) if other.seq > turn.seq]
    until = min(later, default=len(session.turns))
    work = [step for step in steps if turn.seq < step.call.seq < until]
    named = [f"{' '.join(step.heads)} {step.path.rsplit('/', 1)[-1]}" for step in work]
    return {word for name in named for word in tokens(re.sub(r"[^A-Za-z]+", " ", name))}


def request_words(text: str) -> set[str]:
    """The words of a request that carry it: `commit this & update @changelog.md` is commit, update, changelog."""
    filler = {"well", "small", "sentenc", "short", "bit", "now", "mak", "sure", "thes", "file"}
    return tokens(plain_request(text)) - filler - _GO_ON


def plain_request(text: str) -> str:
    """A request without what differs from one time to the next: `this`, an `@`, the ending of a file's name."""
    plain = re.sub(r"@?\b([\w-]+)\.(?:md|txt|json)\b", r"\1", text.strip())
    plain = re.sub(r"(?i)@(?=\w)|\s+\b(?:this|these|that|it|all)\b", "", plain)
    return plain.strip().rstrip(".!").lower()


def _fact(session: Session, item: Said) -> Observation | None:
    """A plain statement that gives a value: a number, path or version, about the project and not the speaker."""
    told = stated(item.text, alone=len(item.turn.text.strip()) == item.end - item.start)
    topic = _topic(told.subject) if told else ""
    if told is None or not topic:
        return None
    seen = _observed(session, item, "fact", topic, told.about)
    stats = {f"replaced_{at}": float(old) for at, old in enumerate(told.replaced, 1) if old.isdigit()}
    return seen.model_copy(update={"value": told.value, "stats": stats})


def _observed(  # noqa: PLR0913 - each is a field of the observation
    session: Session,
    item: Said,
    kind: ObservationKind,
    subject: str,
    attribute: str,
    *,
    outright: bool = False,
    scope: str | None = None,
) -> Observation:
    quote = quote_at(session, item.turn.seq, item.start, item.end)
    asked = f"Users ask to “{plain_request(item.text)}”."
    claim = asked if kind == "workflow" else item.text.strip()
    return Observation(
        session_id=session.session_id,
        root_id=session.root_id,
        kind=kind,
        subject=subject,
        attribute=attribute,
        scope=scope_of(session) if scope is None else scope,
        claim=claim,
        said_outright=outright,
        quotes=(quote,),
        at=quote.at,
    )


def _topic(text: str) -> str:
    """What a sentence is about: its content words in order, at most eight."""
    kept: list[str] = []
    wanted = tokens(text)
    for word in re.findall(r"[\w@./-]+", text.lower()):
        if tokens(word) & wanted and word not in kept:
            kept.append(word.strip("."))
    return " ".join(kept[:8])


def _is_go_on(text: str) -> bool:
    return not tokens(text) - _GO_ON


def _once(observations: list[Observation]) -> list[Observation]:
    """The same thing said twice in one session is said once."""
    seen: dict[str, Observation] = {}
    for observation in observations:
        seen.setdefault(observation.key, observation)
    return list(seen.values())
