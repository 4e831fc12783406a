"""Cluster: observations of many sessions become patterns, and code counts who supports them.

Observations of one key come together unless their numbers, conditions, values or polarity differ; keys
that look alike are put to the engine, and code vetoes. What too few independent sessions say is refused.
The result does not depend on the order of the observations.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentflows.change import Observation, Pattern, Refusal, identity
from agentflows.dream.engine import Engine
from agentflows.dream.faithful import content, opposed
from agentflows.dream.heeded import heeded
from agentflows.dream.nominate import fold, places, quantities, similar
from agentflows.dream.over import without_over
from agentflows.dream.tally import lacking, tally
from agentflows.errors import DreamError, ModelOutputError
from agentflows.signature import specifics

SUPPORT = 2
"""Distinct sessions of distinct origin that must say the same, unless a user said it outright."""
_ALIKE_KEYS = 0.45
_DISPUTED = frozenset({"fact", "preference", "correction"})
"""Kinds of which only one value can hold; an error may well have several fixes."""
WITNESSED: Mapping[str, frozenset[str]] = {
    "error": frozenset({"error"}),
    "correction": frozenset({"correction", "rule"}),
    "preference": frozenset({"correction", "rule"}),
}
"""By kind of observation, the archive's signals that other sessions show when the same happened there."""
_COMPARED = 20
"""Wordings of one bucket that a new wording is compared with, the best supported ones."""


class Witnesses(Protocol):
    """Who shows the same as certain turns, as the archive counts it."""

    def of(self, addresses: Iterable[tuple[str, int]], kinds: frozenset[str]) -> frozenset[str]:
        """The root sessions that show a signal of these kinds that stands at one of the addresses."""
        ...


@dataclass(frozen=True, slots=True)
class _Ground:
    """What must be equal for two observations to say the same. An error's claim may vary in all but `when`."""

    when: str
    when_not: str
    value: str
    numbers: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wording:
    """One way of saying it: its folded claim, and the paths, ids and code spans in it."""

    claim: str
    names: frozenset[str]


@dataclass(slots=True)
class _Bucket:
    """Observations that say the same, and those against them."""

    key: str
    ground: _Ground
    wordings: list[_Wording]
    """Best supported first."""
    holding: list[Observation] = field(default_factory=list[Observation])
    against: list[Observation] = field(default_factory=list[Observation])

    @property
    def pattern_id(self) -> str:
        """Stable as long as the best supported wording is."""
        ground = self.ground
        parts = (ground.when, ground.when_not, ground.value, ground.numbers, ground.places)
        return "pat_" + identity(self.key, parts, self.wordings[0].claim)


def cluster(
    observations: Iterable[Observation],
    engine: Engine,
    *,
    support: int = SUPPORT,
    witnesses: Witnesses | None = None,
) -> tuple[list[Pattern], list[Refusal]]:
    """Patterns with at least `support` independent sessions, best supported first, and what was refused.

    With `witnesses`, what too few of the sessions that were read say is still a pattern when the archive shows the
    same error, or the same words of users, in enough sessions; `Pattern.counted` is how many.

    Gates: `support` (too few sessions or sources), `contradicted` (a better supported or newer value stands
    against it, or as many sessions do), `taken_back` (a user said otherwise later), `no_verdict` (the engine could
    not say what says the same: kept apart).

    Raises:
        DreamError: the engine did not answer for every pair.
    """
    refusals: list[Refusal] = []
    heard, taken_back = heeded(observations)
    refusals.extend(taken_back)
    buckets = _join(_buckets(heard), engine, support, refusals)
    supported: list[tuple[_Bucket, Pattern]] = []
    rivals: dict[tuple[str, str, str], list[Pattern]] = {}
    for bucket in buckets:
        pattern = _counted(_pattern(bucket, support), bucket.holding, witnesses)
        if pattern.kind in _DISPUTED and pattern.value and bucket.holding:
            rivals.setdefault(_place(bucket), []).append(pattern)
        reason = lacking(pattern, bucket.holding, support)
        if reason and not (bucket.holding and pattern.counted >= support):
            refusals.append(_refusal("support", reason, pattern))
        else:
            supported.append((bucket, pattern))
    kept, disputed = _settle(supported, rivals)
    kept.sort(key=lambda pattern: (-len(pattern.sessions), -pattern.trust, pattern.key, pattern.pattern_id))
    refusals = sorted([*refusals, *disputed], key=lambda refusal: (refusal.gate, refusal.key, refusal.claim))
    return kept, refusals


def _pattern(bucket: _Bucket, support: int) -> Pattern:
    return tally(bucket.pattern_id, bucket.key, bucket.holding, bucket.against, support)


def _counted(pattern: Pattern, holding: Sequence[Observation], witnesses: Witnesses | None) -> Pattern:
    """The pattern with the number of sessions, read or not, that show what it quotes; those it names included."""
    kinds = WITNESSED.get(pattern.kind)
    if witnesses is None or not kinds:
        return pattern
    addresses = {(quote.session_id, quote.seq) for one in holding for quote in one.quotes}
    shown = witnesses.of(addresses, kinds)
    return pattern.model_copy(update={"counted": len(shown | set(pattern.sessions))}) if shown else pattern


def _place(bucket: _Bucket) -> tuple[str, str, str]:
    return bucket.key, bucket.ground.when, bucket.ground.when_not


def _refusal(gate: str, reason: str, pattern: Pattern) -> Refusal:
    session_id = pattern.sessions[0] if len(pattern.sessions) == 1 else ""
    return Refusal(gate=gate, reason=reason, claim=pattern.claim, session_id=session_id, key=pattern.key)


# -- one key -----------------------------------------------------------------------------------------


def _buckets(observations: Iterable[Observation]) -> list[_Bucket]:
    unique = {observation.model_dump_json(): observation for observation in observations}
    by_key: dict[str, list[Observation]] = {}
    for text in sorted(unique):
        by_key.setdefault(unique[text].key, []).append(unique[text])
    found: list[_Bucket] = []
    for key in sorted(by_key):
        holding = [one for one in by_key[key] if one.stance == "for"]
        against = [one for one in by_key[key] if one.stance == "against"]
        buckets = [bucket for group in _by_ground(holding).values() for bucket in _by_wording(group)]
        if not buckets and against:
            buckets = [_Bucket(key, _ground(against[0]), [_wording(against[0])])]
        for bucket in buckets:
            bucket.against = [one for one in against if not bucket.holding or _speaks_of(one, bucket)]
        found.extend(buckets)
    return found


def _by_ground(observations: Sequence[Observation]) -> dict[_Ground, list[Observation]]:
    groups: dict[_Ground, list[Observation]] = {}
    for observation in observations:
        groups.setdefault(_ground(observation), []).append(observation)
    return groups


def _ground(observation: Observation) -> _Ground:
    when, when_not = fold(observation.when), fold(observation.when_not)
    if observation.kind == "error":
        return _Ground(when, when_not, "", (), ())
    claim = f"{without_over(observation.claim)} {observation.value}"
    counted = {f"{value:g}" for value in observation.stats.values()}
    return _Ground(
        when,
        when_not,
        fold(observation.value),
        tuple(sorted(quantities(claim) - counted)),
        tuple(sorted(places(claim))),
    )


def _wording(observation: Observation) -> _Wording:
    names = {item.casefold() for item in specifics(observation.claim) if not item.isdigit()}
    return _Wording(fold(observation.claim), frozenset(names))


def _by_wording(group: Sequence[Observation]) -> list[_Bucket]:
    """Split where two wordings name different things or deny each other; naming fewer is not different."""
    first = group[0]
    said: dict[_Wording, list[Observation]] = {}
    for observation in group:
        said.setdefault(_wording(observation), []).append(observation)
    ranked = sorted(said, key=lambda one: (-len(_roots(said[one])), -len(one.names), one.claim))
    if first.kind == "error":
        return [_Bucket(first.key, _ground(first), ranked, list(group))]
    buckets: list[_Bucket] = []
    for wording in ranked:
        home = next((bucket for bucket in buckets if _fits(wording, bucket, first.kind)), None)
        if home is None:
            home = _Bucket(first.key, _ground(first), [])
            buckets.append(home)
        home.wordings.append(wording)
        home.holding.extend(said[wording])
    return buckets


def _fits(wording: _Wording, bucket: _Bucket, kind: str) -> bool:
    return all(_agree(wording, other, kind) for other in bucket.wordings[:_COMPARED])


def _agree(one: _Wording, other: _Wording, kind: str) -> bool:
    """Whether two wordings can mean the same: a workflow's steps must be equal, of names one may lack some."""
    if kind == "workflow":
        return one.names == other.names
    nested = one.names <= other.names or other.names <= one.names
    return nested and not opposed(one.claim, other.claim)


def _speaks_of(opposing: Observation, bucket: _Bucket) -> bool:
    """Whether it is against this very value under these very conditions."""
    return fold(opposing.value) in {"", bucket.ground.value} and fold(opposing.when) in {
        "",
        bucket.ground.when,
    }


def _roots(observations: Iterable[Observation]) -> set[str]:
    return {observation.root_id for observation in observations}


# -- several keys ------------------------------------------------------------------------------------


def _join(buckets: list[_Bucket], engine: Engine, support: int, refusals: list[Refusal]) -> list[_Bucket]:
    """Bring together what goes by different keys, where the engine says so and code has no veto."""
    alike = similar([_words(bucket) for bucket in buckets], _ALIKE_KEYS)
    nominated = sorted((one, other) for one, other, _ in alike if _may_join(buckets[one], buckets[other]))
    if not nominated:
        return buckets
    wanted = sorted({number for pair in nominated for number in pair})
    drafts = {number: _pattern(buckets[number], support) for number in wanted}
    try:
        verdicts = engine.same([(drafts[one], drafts[other]) for one, other in nominated])
    except ModelOutputError as error:
        refusals.append(
            Refusal(gate="no_verdict", reason=str(error), claim=f"{len(nominated)} pairs say the same")
        )
        return buckets
    if len(verdicts) != len(nominated):
        msg = f"The engine {engine.name} was asked about {len(nominated)} pairs and answered for {len(verdicts)}."
        raise DreamError(msg)
    home = list(range(len(buckets)))
    for (one, other), same in zip(nominated, verdicts, strict=True):
        low, high = sorted((home[one], home[other]))
        if same and low != high and _may_join(buckets[low], buckets[high]):
            buckets[low] = _merged(buckets[low], buckets[high])
            home = [low if place == high else place for place in home]
    return [bucket for number, bucket in enumerate(buckets) if home[number] == number]


def _words(bucket: _Bucket) -> set[str]:
    """What two buckets are compared by; nothing where nobody holds it, for that is alike to nothing."""
    if not bucket.holding:
        return set()
    first = min(bucket.holding, key=lambda one: (fold(one.claim) != bucket.wordings[0].claim, one.session_id))
    return content(f"{first.subject} {first.attribute} {first.claim}")


def _may_join(one: _Bucket, other: _Bucket) -> bool:
    """Code's veto: kind, scope, conditions, value, numbers and places must be equal, and neither deny the other."""
    left, right = one.holding[0], other.holding[0]
    if (left.kind, fold(left.scope)) != (right.kind, fold(right.scope)):
        return False
    if one.ground != other.ground or _numbers(one) != _numbers(other):
        return False
    return all(_fits(wording, other, left.kind) for wording in one.wordings[:_COMPARED])


def _numbers(bucket: _Bucket) -> set[str]:
    """For errors, whose ground leaves them out: the numbers of what failed and how."""
    errors = [one for one in bucket.holding if one.kind == "error"]
    return {number for one in errors for number in quantities(f"{one.subject} {one.attribute}")}


def _merged(one: _Bucket, other: _Bucket) -> _Bucket:
    """Both under the key that more sessions use."""
    first, second = sorted([one, other], key=lambda bucket: (-len(_roots(bucket.holding)), bucket.key))
    return _Bucket(
        first.key,
        first.ground,
        [*first.wordings, *second.wordings],
        [*first.holding, *second.holding],
        [*first.against, *second.against],
    )


# -- dispute -----------------------------------------------------------------------------------------


def _settle(
    supported: Sequence[tuple[_Bucket, Pattern]], rivals: dict[tuple[str, str, str], list[Pattern]]
) -> tuple[list[Pattern], list[Refusal]]:
    """Of values that exclude each other the newest or most seen stays, and knows who is against it."""
    able = {pattern.pattern_id for _, pattern in supported}
    kept: list[Pattern] = []
    refusals: list[Refusal] = []
    for bucket, pattern in supported:
        others = [one for one in rivals.get(_place(bucket), []) if _excludes(one, pattern)]
        stronger = next((one for one in others if one.pattern_id in able and _prevails(one, pattern)), None)
        opposing = set(pattern.sessions_against)
        if stronger:
            reason = f"{stronger.value!r} is newer or said by more sessions"
            refusals.append(_refusal("contradicted", reason, pattern))
        elif len(opposing) >= len(pattern.sessions):
            refusals.append(_refusal("contradicted", f"{len(opposing)} sessions say otherwise", pattern))
        else:
            opposing |= {root for one in others for root in one.sessions}
            against = tuple(sorted(opposing - set(pattern.sessions)))
            kept.append(pattern.model_copy(update={"sessions_against": against}))
    return kept, refusals


def _excludes(one: Pattern, other: Pattern) -> bool:
    return bool(other.value) and fold(one.value) != fold(other.value)


def _prevails(one: Pattern, other: Pattern) -> bool:
    """Whether `one` is wholly newer than `other`, or, where their times overlap, seen in more sessions."""
    if one.first_at and other.last_at and one.first_at > other.last_at:
        return True
    if other.first_at and one.last_at and other.first_at > one.last_at:
        return False
    return (len(one.sessions), one.pattern_id) > (len(other.sessions), other.pattern_id)
