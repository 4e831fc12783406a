"""What users said: standing preferences, corrections, requests that come back, facts about the project.

Only the user's own typed words count (trust 3, main thread, not pasted, recalled or injected), whole
sentence by whole sentence, and the sentence itself is the claim: rules can find what was said, not say it
better. What was said about one piece of work stays there unless it is said again elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentflows.change import Observation, ObservationKind
from agentflows.dream.quotes import quote_at, span_trust
from agentflows.dream.steps import Step, steps_of
from agentflows.session import Session, Turn
from agentflows.signature import hedges, negations, sentences, specifics, tokens

_LONG_TURN = 1500
"""Typed text longer than this is a plan, a specification or a paste: only its opening lines are a person talking."""
_OPENING = 400
_MAX_SENTENCE = 400
_MAX_REQUEST = 120
_MAX_CORRECTION = 600

_DOCUMENT = re.compile(r"(?m)^(?:#{1,4} \S|```|~~~|---$)")
_STANDING = re.compile(
    r"""(?ix)
    \b(?: from\ now\ on | going\ forward | in\ (?:the\ )?future | every\ time\ you | whenever\ you | as\ a\ rule
      | for\ all\ future | dorénavant | désormais | à\ l'avenir | ab\ jetzt | in\ zukunft | künftig
      | de\ ahora\ en\ adelante | a\ partir\ de\ ahora ) \b
    | ^\W*(?: (?:please|and|also|so|ok(?:ay)?|but|bitte|por\ favor|merci\ de|note:?)[,:]?\s+ ){0,2}
      (?: always | never | remember\ (?:to|that) | toujours | ne\ jamais | jamais | immer | niemals | siempre | nunca
        | recuerda | rappelle-toi | merk(?:e)?\ dir | souviens-toi )\b
    | \b(?: you\ (?:should|must|need\ to|have\ to|can) | please | do | must | should | make\ sure\ (?:you|to|that\ you)
        | i\ want\ you\ to | tu\ dois | il\ faut | du\ sollst | du\ musst | debes )\s+ (?:\w+\s+){0,2}?
      (?: always | never | toujours | jamais | immer | nie(?:mals)? | siempre | nunca )\b
    | ^\W*(?:please\s+)? (?:don'?t|do\ not) \s+ ever \b
    | ^\W*(?:please\s+)? (?:don'?t|do\ not) \b .* \b (?: again | without\ (?:asking|my|permission|confirm\w*) | any\ ?more )\b
    """
)
_DIRECTIVE = re.compile(
    r"""(?ix)
    ^\W*(?:(?:please|ok(?:ay)?|and|also|but|no)[,:]?\s+){0,2}
      (?: don'?t | do\ not | stop | avoid | prefer | i\ (?:prefer|(?:want|'d\ like|would\ like)\ you\ to) | i\ allow\ you | you\ (?:may|can)
        | n'utilise | ne\ \w+\ pas | évite | nicht | keine? | vermeide | bevorzuge | no\ (?:uses|hagas) | evita | prefiero )\b
    | \buse\b .+ \b(?:instead(?:\ of)? | rather\ than | (?:,\s*)?(?:and\ )?not | over)\b
    | \b(?:utilise|nutze|verwende|usa)\b .+ \b(?:au\ lieu | plutôt | statt | en\ (?:vez|lugar)\ de)\b
    """
)
_INSTEAD = re.compile(
    r"(?i)\buse\s+[`\"']?([\w@./-]+)[`\"']?\s*,?\s*(?:instead\s+of|rather\s+than|and\s+not|not|over)\s+[`\"']?([\w@./-]+)"
)
_CORRECTION = re.compile(
    r"""(?ix)
    ^\W*(?: no\b(?!\s+(?:problem|worries|need)) | nope | wrong | not\ (?:that|what|this|like) | that'?s\ (?:not|wrong) | actually
      | wait | stop | revert | undo | it\ should | it\ shouldn'?t | this\ should | i\ (?:was\ talking|meant|said|asked|still\ (?:have|see|get))
      | you\ (?:forgot|missed|broke|didn'?t|should\ have|were\ supposed) | why\ did\ you | are\ you\ sure
      | non\b | faux | ce\ n'est\ pas | je\ voulais | nein | falsch | ich\ meinte | das\ ist\ nicht | incorrecto | eso\ no )
    """
)
_CLOSING = re.compile(r"(?i)\A\W*#+|\bthat'?s (?:all|ok(?:ay)?|fine|it)\b|\bthank")
ANSWERED = re.compile(
    r"(?i)\A(?:(?:no|nope|non|nein|wait|actually|ok(?:ay)?)[,.:!]+\s+|(?:please|bitte|por favor)\b,?\s+)+(?=\w)"
)
"""How a sentence begins that answers somebody; what is left can stand in a memory."""
_STRAIGHT = str.maketrans({"’": "'"})
_NO_COMMAND = re.compile(
    r"(?i)\?\s*$|\b(?:i|i'm|i'd|i've|i'll|my|me|mine)\b"
    r"|^\W*(?:hi|hello|hey|thanks?|thank|yes|yeah|yep|no|great|perfect|good|fine|that|it|this|there|everything|sounds)\b"
)
_NO_RULE = re.compile(
    r"(?i)\A\W*never (?:\w+ed|seen|been|had|got|gotten|heard|done|gone|knew|known|thought|was|did)\b"
    r"|\A\W*always (?:the|a|an|been|was|is|has|had|fails|shows|gets|crashes|returns|happens)\b"
    r"|\bnever ?mind\b|\bfor (?:this|that) (?:one|time|case|task|once)\b|\b(?:just|only) this (?:once|time)\b"
)
_WISHES = re.compile(
    r"(?i)^\W*(?:hi\W+|hello\W+)?(?:i'd like to|i would like to|i want to|i need to|can you|could you|is it)\b"
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
_FACT = re.compile(
    r"(?i)^(?:(?:the|our|this|that)\s+)?((?:[\w`./-]+\s+){1,5}?)"
    r"(?:runs?|listens?|lives?|is|are|uses?|needs?|requires?|stays?|takes?|expects?|holds?)\b"
)
_RECORD = re.compile(r"#?(?=\w*\d)[A-Z0-9]{5,}|\w+_\d+|\d{6,}")
"""A booking, an order, a customer: the number of one case, not a fact about the project."""
_ASIDE = re.compile(r",\s+(?=not\b|as\b|and not\b|instead\b|because\b|since\b|but\b)|;\s|\s+\(")
_FIRST_PERSON = re.compile(r"(?i)\b(?:i|i'm|i've|my|mine|me)\b")


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
            if end - start <= _MAX_SENTENCE and not turn.text.startswith(("[", "<", "/"), start)
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
    no_rule = _NO_RULE.search(text) or _WISHES.search(text.translate(_STRAIGHT))
    if no_rule or text.endswith("?") or len(tokens(text)) < 2:
        return None
    outright = bool(_STANDING.search(text)) or _replaces_a_tool(steps, text)
    if not outright and not _DIRECTIVE.search(text):
        return None
    return _observed(session, item, "preference", _topic(text), "asked for", outright=outright)


def _replaces_a_tool(steps: Sequence[Step], text: str) -> bool:
    """Whether `use A instead of B` names as B a command or tool the session did use."""
    match = _INSTEAD.search(text)
    if not match:
        return False
    dropped = match.group(2).lower().rstrip(".")
    return any(dropped in step.command.lower().split() or dropped == step.tool.lower() for step in steps)


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
    text = item.text
    match = _FACT.match(text)
    if not text.endswith(".") or not match or _FIRST_PERSON.search(match.group(1)) or len(text) > 200:
        return None
    if _CORRECTION.search(text) or _STANDING.search(text) or hedges(text):
        return None
    clause = _ASIDE.split(text)[0]
    values = sorted(value for value in specifics(clause) if value not in match.group(1))
    topic = _topic(match.group(1))
    if len(values) != 1 or not topic or f"{values[0]}%" in clause or f"{values[0]} %" in clause:
        return None
    if _RECORD.fullmatch(values[0]):
        return None
    rest = clause[match.end(1) :].replace(values[0], " ")
    about = " ".join(sorted(tokens(rest) - {"now", "today", "current", "already"}))
    seen = _observed(session, item, "fact", topic, about or "is")
    replaced = sorted(specifics(text) - specifics(clause))
    stats = {f"replaced_{at}": float(old) for at, old in enumerate(replaced, 1) if old.isdigit()}
    return seen.model_copy(update={"value": values[0], "stats": stats})


def _observed(
    session: Session,
    item: Said,
    kind: ObservationKind,
    subject: str,
    attribute: str,
    *,
    outright: bool = False,
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
        scope=session.project,
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
