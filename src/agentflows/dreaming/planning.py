"""Planning: which sessions are read, and what that may cost, before anything is spent.

Where everything fits the budget, everything is read. Where it does not, `agentflows.dream.selection` chooses, and
the choice is kept: a dream that was killed goes on with it, and the next dream over the same sessions, with a
budget of its own, reads the next best ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from agentflows import model as models
from agentflows.change import Share, identity
from agentflows.dream.digest import digest_tokens
from agentflows.dream.engine import Engine
from agentflows.dream.selection import Candidate, candidates, choose, shares
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import BudgetError
from agentflows.home import Home
from agentflows.session import SessionInfo

PROMPT_TOKENS = 2_000
ANSWER_TOKENS = 1_200
"""Per session, prompt and schema included; answers seldom reach it. Both only quote a cost beforehand."""
READING_SHARE = 0.75
"""Of a budget that does not suffice for everything; the rest is for judging what was read."""


class Kept(BaseModel):
    """A choice that outlives its process."""

    model_config = ConfigDict(frozen=True)

    number: int
    """Of the dreams that read these sessions in parts, from 1."""
    chosen: tuple[str, ...]
    left: int
    """Sessions that are left for later."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read, and what it may cost at most."""

    tokens: int = 0
    dollars: float = 0.0
    chosen: frozenset[str] | None = None
    """Sessions to read anew; None is all that are not known."""
    number: int = 0
    """Which part of a reading in parts this is; 0 for a whole one."""
    left: int = 0
    everyone: tuple[Candidate, ...] = ()
    """For a reading in parts: what every selected session shows."""

    def shares(self, read: set[str]) -> tuple[Share, ...]:
        """What those that were read cover; nothing where all were to be read."""
        return shares(self.everyone, read) if self.left else ()


@dataclass(frozen=True, slots=True)
class _Quote:
    """What reading some sessions may take at most."""

    tokens: int
    dollars: float
    share: float
    """Of the budget; more than 1.0 does not fit."""


class _Meter:
    """Says what reading costs.

    Raises:
        BudgetError: the budget is in dollars, and the model's price is not known.
    """

    def __init__(self, home: Home, request: DreamRequest, engine: Engine) -> None:
        self.budget = request.budget
        self._model = engine.model
        # Half the list price in batches, at Anthropic's own endpoint (its guide to batch processing).
        self._part = 0.5 if request.calls == "batch" and not home.settings.base_url else 1.0
        self._price = models.price(engine.model, home.prices) if engine.model else None
        if engine.model and self._price is None and self.budget.dollars is not None:
            msg = (
                f"A budget in dollars needs the price of {engine.model!r}, which is not known. Give it in "
                "AGENTFLOWS_PRICES, or set a budget in tokens. Nothing was spent."
            )
            raise BudgetError(msg)

    def quote(self, infos: Sequence[SessionInfo]) -> _Quote:
        """Of these, all unread."""
        if not self._model:
            return _Quote(0, 0.0, 0.0)
        tokens = sum(PROMPT_TOKENS + digest_tokens(info.chars) for info in infos)
        answers = ANSWER_TOKENS * len(infos)
        dollars = self._part * self._price.at_most(tokens, answers) if self._price else 0.0
        shares = [_share(tokens + answers, self.budget.tokens), _share(dollars, self.budget.dollars)]
        return _Quote(tokens + answers, dollars, max(shares))


def _share(asked: float, allowed: float | None) -> float:
    return 0.0 if allowed is None or not asked else asked / max(allowed, 1e-9)


def plan_reading(
    home: Home, request: DreamRequest, engine: Engine, infos: Sequence[SessionInfo], base: str
) -> Plan:
    """What to read of the sessions selected. `base` names the dream, whatever part of them it reads.

    Raises:
        BudgetError: not even one session fits the budget, or a price is not known. Nothing was spent.
    """
    meter = _Meter(home, request, engine)
    unread = _unread(home, engine, infos)
    quote = meter.quote(unread)
    is_few = not request.read_at_most or len(unread) <= request.read_at_most
    kept = kept_plan(home, base)
    if kept is None and quote.share <= 1.0 and is_few:
        return Plan(quote.tokens, quote.dollars)
    costs = _costs(meter, request, infos)
    everyone = tuple(candidates(infos, home.archive.signals([info.session_id for info in infos]), costs))
    if kept is not None and (kept.left == 0 or not unread or not _is_done(home, base, kept)):
        chosen = frozenset(kept.chosen)
        quote = meter.quote([info for info in unread if info.session_id in chosen])
        return Plan(quote.tokens, quote.dollars, chosen, kept.number, kept.left, everyone)
    picked = _picked(meter, request, everyone, unread)
    quote = meter.quote([info for info in unread if info.session_id in picked])
    number = kept.number + 1 if kept else 1
    return Plan(quote.tokens, quote.dollars, picked, number, len(unread) - len(picked), everyone)


def _costs(meter: _Meter, request: DreamRequest, infos: Sequence[SessionInfo]) -> dict[str, float]:
    """Of each session, the share that reading it takes of what may be read: the larger of budget and number."""
    least = 1.0 / request.read_at_most if request.read_at_most else 0.0
    return {info.session_id: max(least, meter.quote([info]).share) for info in infos}


def _picked(
    meter: _Meter, request: DreamRequest, everyone: Sequence[Candidate], unread: Sequence[SessionInfo]
) -> frozenset[str]:
    """What to read of the unread.

    Raises:
        BudgetError: the budget does not suffice for one of them.
    """
    new = {info.session_id for info in unread}
    known = [one.session_id for one in everyone if one.session_id not in new]
    capacity = READING_SHARE if meter.quote(unread).share > 1.0 else 1.0
    # A budget for one session and no more is spent on it: what it says outright may stand by itself.
    chosen = (
        choose(everyone, known, capacity=capacity, support=request.support)
        or (choose(everyone, known, support=request.support)[:1])
    )
    if not chosen:
        raise _too_little(meter, unread)
    return frozenset(chosen)


def keep_plan(home: Home, base: str, plan: Plan) -> None:
    """Make a choice outlive this process, before anything is spent on it."""
    if plan.chosen is not None:
        kept = Kept(number=plan.number, chosen=tuple(sorted(plan.chosen)), left=plan.left)
        home.state.cache({f"plan:{base}": kept.model_dump_json()})


def kept_plan(home: Home, base: str) -> Kept | None:
    """The newest choice for the dream of that name, if it reads in parts."""
    found = home.state.cached([f"plan:{base}"])
    return Kept.model_validate_json(found[f"plan:{base}"]) if found else None


def dream_named(base: str, number: int) -> str:
    """The id of a dream, or of one part of it."""
    return f"drm_{base if not number else identity(base, number)}"


def reading_key(engine: Engine, info: SessionInfo) -> str:
    """What a session's reading is kept under: its content, and all that decides how it is read."""
    return "obs:" + identity(info.content_sha256, engine.name, engine.reading_sha256, engine.model)


def _is_done(home: Home, base: str, kept: Kept) -> bool:
    name = dream_named(base, kept.number)
    return any(dream.dream_id == name for dream in home.state.dreams(status="completed"))


def _unread(home: Home, engine: Engine, infos: Sequence[SessionInfo]) -> list[SessionInfo]:
    keys = {info.session_id: reading_key(engine, info) for info in infos}
    known = home.state.cached(list(keys.values()))
    return [info for info in infos if keys[info.session_id] not in known]


def _too_little(meter: _Meter, unread: Sequence[SessionInfo]) -> BudgetError:
    least = min(map(meter.quote, ([info] for info in unread)), key=lambda quote: quote.tokens)
    budget = meter.budget
    asked, allowed = (
        (f"{least.tokens:,} tokens", f"{budget.tokens:,}")
        if budget.tokens is not None and least.tokens > budget.tokens
        else (f"${least.dollars:.4f}", f"${budget.dollars:,.6g}")
    )
    return BudgetError(
        f"Reading the shortest of {len(unread):,} sessions may take up to {asked}; the budget is {allowed}. "
        "Raise it. Nothing was spent."
    )
