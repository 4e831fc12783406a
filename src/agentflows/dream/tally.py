"""Tally: what stands behind a pattern, counted by code: sessions, sources, trust, the quotes to show."""

from collections.abc import Iterable, Sequence
from typing import cast

from agentflows.change import Observation, Pattern, Quote
from agentflows.dream.faithful import unbacked
from agentflows.dream.gates import low_water
from agentflows.dream.nominate import fold
from agentflows.session import Trust

MAX_QUOTES_SHOWN = 5
_MET = frozenset({"error", "workflow", "outcome"})
"""Kinds that a session meets, not kinds that somebody says."""


def tally(
    pattern_id: str, key: str, holding: Sequence[Observation], against: Sequence[Observation], support: int
) -> Pattern:
    """The pattern of observations that say the same, and of those `against` it.

    With none for it, the pattern has no sessions and the words of one against it.
    """
    speaker = _speaker(holding or against, support)
    roots = _roots(holding)
    typed = {q.origin for one in holding for q in one.quotes if q.kind == "user" and q.trust == 3}
    times = sorted(one.at for one in holding if one.at)
    return Pattern(
        pattern_id=pattern_id,
        key=key,
        kind=speaker.kind,
        subject=speaker.subject,
        attribute=speaker.attribute,
        scope=speaker.scope,
        claim=speaker.claim,
        when=speaker.when,
        when_not=speaker.when_not,
        value=speaker.value,
        said_outright=any(map(said_outright, holding)),
        sessions=tuple(sorted(roots)),
        sessions_against=tuple(sorted(_roots(against) - roots)),
        origins=len(_origins(holding)),
        user_origins=len(typed),
        trust=_trust(holding, speaker, support),
        first_at=times[0] if times else None,
        last_at=times[-1] if times else None,
        quotes=tuple(_shown(holding, speaker)),
        stats=speaker.stats,
    )


def said_outright(observation: Observation) -> bool:
    """Whether a user typed it as a standing preference: one session is then support enough."""
    typed = any(quote.kind == "user" and quote.trust == 3 for quote in observation.quotes)
    return observation.kind == "preference" and observation.said_outright and typed


def lacking(pattern: Pattern, holding: Sequence[Observation], support: int) -> str:
    """Why the pattern has too little behind it; "" when it has enough."""
    if not holding:
        return "sessions only speak against it"
    if pattern.said_outright or independent_sessions(holding, enough=support) >= support:
        return ""
    count, origins = len(pattern.sessions), pattern.origins
    if count < support:
        return f"{count} {'session says' if count == 1 else 'sessions say'} so; {support} are needed"
    return (
        f"{count} sessions say so, but their {origins} sources are copies of each other; {support} are needed"
    )


def independent_sessions(observations: Sequence[Observation], *, enough: int) -> int:
    """Sessions that do not repeat each other, counted up to `enough`.

    What was said counts by its speakers: sessions that share any source are one, and where a user typed it
    only typed words are sources. What was met (errors, workflows) may print the same in every session: there
    each session needs one source of its own, such as its own call; one with no source but another's is its copy.
    """
    sources: dict[str, set[str]] = {}
    for observation in observations:
        sources.setdefault(observation.root_id, set()).update(_sources(observation))
    if observations and observations[0].kind in _MET:
        return _matched(_without_copies(sources), enough)
    return _unconnected(sources)


def _sources(observation: Observation) -> set[str]:
    typed = [quote for quote in observation.quotes if quote.kind == "user" and quote.trust == 3]
    if observation.kind in _MET or not typed:
        return _origins([observation])
    return {quote.origin or quote.address for quote in typed}


def _without_copies(sources: dict[str, set[str]]) -> dict[str, set[str]]:
    """The sessions without those all of whose sources another has too; of equal ones the first stays."""
    kept: dict[str, set[str]] = {}
    having: dict[str, list[str]] = {}
    for root in sorted(sources, key=lambda root: (-len(sources[root]), root)):
        own = sources[root]
        alike = [having.get(source, []) for source in own]
        if not alike or not any(own <= kept[other] for other in min(alike, key=len)):
            kept[root] = own
            for source in own:
                having.setdefault(source, []).append(root)
    return kept


def _unconnected(sources: dict[str, set[str]]) -> int:
    """Groups of sessions that share no source with another group."""
    groups: list[set[str]] = []
    for root in sorted(sources):
        touched = [group for group in groups if group & sources[root]]
        groups = [group for group in groups if not group & sources[root]]
        groups.append(sources[root].union(*touched))
    return len(groups)


def _matched(sources: dict[str, set[str]], enough: int) -> int:
    """Sessions that can each be given a source of their own, counted up to `enough`."""
    given: dict[str, str] = {}
    count = 0
    for root in sorted(sources):
        count += _give(root, sources, given, set())
        if count >= enough:
            break
    return count


def _give(root: str, sources: dict[str, set[str]], given: dict[str, str], asked: set[str]) -> bool:
    """Find a source for `root`, letting earlier sessions move to another of theirs."""
    for source in sorted(sources[root] - asked):
        asked.add(source)
        if source not in given or _give(given[source], sources, given, asked):
            given[source] = root
            return True
    return False


def _roots(observations: Iterable[Observation]) -> set[str]:
    return {observation.root_id for observation in observations}


def _origins(observations: Iterable[Observation]) -> set[str]:
    return {quote.origin or quote.address for one in observations for quote in one.quotes}


def _speaker(observations: Sequence[Observation], support: int) -> Observation:
    """The observation whose words the pattern takes: of the most trusted, best supported wording."""
    candidates = _with_common_value(observations, support)
    wordings: dict[str, list[Observation]] = {}
    for observation in candidates:
        wordings.setdefault(fold(observation.claim), []).append(observation)

    standing = {
        wording: (-max(low_water(peer.quotes) for peer in peers), -len(_roots(peers)))
        for wording, peers in wordings.items()
    }

    def rank(observation: Observation) -> tuple[object, ...]:
        wording = fold(observation.claim)
        trust, sessions = standing[wording]
        own = (-low_water(observation.quotes), observation.claim, observation.session_id)
        return (trust, not said_outright(observation), sessions, wording, *own)

    best = min(map(rank, candidates))
    return min((one for one in candidates if rank(one) == best), key=Observation.model_dump_json)


def _with_common_value(candidates: Sequence[Observation], support: int) -> Sequence[Observation]:
    """Those of the value that most sessions name; of none, when no value has support of its own."""
    by_value: dict[str, list[Observation]] = {}
    for observation in candidates:
        by_value.setdefault(fold(observation.value), []).append(observation)
    named = {value: group for value, group in by_value.items() if value}
    if not named:
        return candidates
    best = min(named, key=lambda value: (-len(_roots(named[value])), value))
    if len(_roots(named[best])) < support and "" in by_value:
        return by_value[""]
    return named[best]


def _trust(holding: Sequence[Observation], speaker: Observation, support: int) -> Trust:
    """The lowest tier of what the claim needs: its speaker, and as many sessions as support takes.

    More sessions of a lower tier neither raise nor lower it.
    """
    best: dict[str, int] = {}
    for observation in holding:
        trust = low_water(observation.quotes)
        best[observation.root_id] = max(best.get(observation.root_id, 1), trust)
    needed = 1 if any(map(said_outright, holding)) else support
    ranked = sorted(best.values(), reverse=True)[:needed]
    return cast("Trust", min([*ranked, low_water(speaker.quotes)]))


def _shown(holding: Sequence[Observation], speaker: Observation) -> list[Quote]:
    """The strongest few quotes: what the claim's own words need, then the best of each other session."""
    chosen: list[Quote] = _backing(speaker)
    rest = sorted((quote for one in holding for quote in one.quotes), key=_strength)
    for fresh in (True, False):
        for quote in rest:
            roots = {held.root_id or held.session_id for held in chosen}
            is_fresh = (quote.root_id or quote.session_id) not in roots
            if len(chosen) < MAX_QUOTES_SHOWN and is_fresh == fresh and not _has(chosen, quote):
                chosen.append(quote)
    return chosen


def _backing(speaker: Observation) -> list[Quote]:
    """The speaker's strongest quote, and whatever more its numbers and names stand in."""
    ranked = sorted(speaker.quotes, key=_strength)
    chosen = ranked[:1]
    claimed = f"{speaker.claim} {speaker.when} {speaker.when_not} {speaker.value}"
    missing = unbacked(claimed, [quote.text for quote in chosen], speaker.stats)
    for quote in ranked[1:]:
        left = unbacked(claimed, [held.text for held in [*chosen, quote]], speaker.stats)
        if len(left) < len(missing):
            chosen.append(quote)
            missing = left
    # A command proves that it was called, not that it failed: what came back belongs to the proof of an error.
    answers = [quote for quote in ranked if quote.kind == "tool_result"]
    if speaker.kind == "error" and answers and not any(quote.kind == "tool_result" for quote in chosen):
        chosen.append(answers[0])
    return chosen


def _strength(quote: Quote) -> tuple[object, ...]:
    return (-quote.trust, quote.kind != "user", quote.session_id, quote.seq, quote.start, quote.end)


def _has(quotes: Iterable[Quote], quote: Quote) -> bool:
    place = (quote.address, quote.start, quote.end)
    return any((held.address, held.start, held.end) == place for held in quotes)
