"""What users said: standing preferences, corrections, requests that come back, facts about the project.

Only the user's own typed words count (trust 3, main thread, not pasted, recalled or injected), whole
sentence by whole sentence, and the sentence itself is the claim: rules can find what was said, not say it
better. What was said about one piece of work stays there unless it is said again elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentflows.change import Observation, ObservationKind
from agentflows.dream.quotes import quote_at, span_trust
from agentflows.dream.steps import steps_of
from agentflows.session import Session, Turn
from agentflows.signature import negations, sentences, specifics, tokens

_LONG_TURN = 1500
"""Typed text longer than this is a plan, a specification or a paste: only its opening lines are a person talking."""
_OPENING = 400
_MAX_SENTENCE = 400
_MAX_REQUEST = 120
_MAX_CORRECTION = 600

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
    r"(?i)^(?:the|our|this|that|its?)?\s*[\w`./ -]{2,60}?\s(?:runs?|listens?|lives?|is|are|uses?|needs?|requires?|stays?)"
    r"\s(?:on|in|at|under|by|with)?\b"
)
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
    preferences = [seen for item in _sentences(session) if (seen := _preference(session, item))]
    corrections = _corrections(session)
    facts = [seen for item in _sentences(session) if (seen := _fact(session, item))]
    taken = {(quote.seq, quote.start) for seen in [*preferences, *corrections] for quote in seen.quotes}
    requests = [
        seen for seen in _requests(session) if (seen.quotes[0].seq, seen.quotes[0].start) not in taken
    ]
    return _once([*preferences, *corrections, *facts, *requests])


def typed_turns(session: Session) -> Iterator[Turn]:
    """Turns a person typed into the main thread."""
    return (turn for turn in session.turns if turn.kind == "user" and turn.trust == 3 and not turn.thread)


def _sentences(session: Session) -> list[Said]:
    """The typed sentences, without what was pasted, and of long turns only the opening."""
    found: list[Said] = []
    for turn in typed_turns(session):
        limit = len(turn.text) if len(turn.text) <= _LONG_TURN else _OPENING
        spans = [span for span in sentences(turn.text) if span[1] <= limit and span_trust(turn, *span) == 3]
        found.extend(
            Said(turn, start, end, turn.text[start:end], opens=at == 0)
            for at, (start, end) in enumerate(spans)
            if end - start <= _MAX_SENTENCE and not turn.text.startswith(("[", "<", "/"), start)
        )
    return found


def _preference(session: Session, item: Said) -> Observation | None:
    """A rule for later work: outright when it says so itself, or names a tool of the session to replace."""
    text = item.text
    if text.endswith("?") or len(tokens(text)) < 2:
        return None
    outright = bool(_STANDING.search(text)) or _replaces_a_tool(session, text)
    if not outright and not _DIRECTIVE.search(text):
        return None
    return _observed(session, item, "preference", _topic(text), "asked for", outright=outright)


def _replaces_a_tool(session: Session, text: str) -> bool:
    """Whether `use A instead of B` names as B a command or tool the session did use."""
    match = _INSTEAD.search(text)
    if not match:
        return False
    dropped = match.group(2).lower()
    steps = steps_of(session)
    return any(dropped in step.command.lower().split() or dropped == step.tool.lower() for step in steps)


def _corrections(session: Session) -> list[Observation]:
    """Short turns that set the agent right: by their words, or because they follow an interruption."""
    found: list[Observation] = []
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
        item = next((said for said in _sentences(session) if said.turn is turn), None)
        if item and worked and (interrupted or _CORRECTION.search(item.text)) and not _is_go_on(item.text):
            found.append(_observed(session, item, "correction", _topic(item.text), "corrected"))
        interrupted = False
    return found


def _requests(session: Session) -> list[Observation]:
    """Short commands about how work ends or goes on; only with an object, for "commit" alone teaches nothing."""
    found: list[Observation] = []
    for item in _sentences(session):
        words = sorted(request_words(item.text))
        alone = len(item.turn.text.strip()) <= _MAX_REQUEST
        if not item.opens or not alone or not 2 <= len(words) <= 5 or item.text.endswith("?"):
            continue
        if specifics(item.text) - {item.text} and any(char.isdigit() for char in item.text):
            continue
        if negations(item.text) or _CORRECTION.search(item.text):
            continue
        found.append(_observed(session, item, "workflow", " ".join(words), "asked for"))
    return found


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
    """A plain statement with a number, path or version in it, about the project and not about the speaker."""
    text = item.text
    if not text.endswith(".") or _FIRST_PERSON.search(text) or not _FACT.match(text) or len(text) > 200:
        return None
    if _CORRECTION.search(text) or _STANDING.search(text) or not specifics(text):
        return None
    subject = _FACT.match(text)
    topic = _topic(subject.group()) if subject else ""
    return _observed(session, item, "fact", topic, "is") if topic else None


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
