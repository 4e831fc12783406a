"""Lies on genuine words: true sentences of users, and what a dreamer makes of them without inventing a word.

Every true sentence was typed by users in two sessions. Every lie is built from those very words: a negation, a hedge
or a condition left out, two roles exchanged, two sentences stitched together.
"""

import random
from dataclasses import dataclass

_THINGS = (
    "router", "planner", "mailer", "importer", "ledger", "gateway", "parser", "worker", "indexer", "scheduler",
    "archive", "console", "watcher", "bridge", "collector", "renderer",
)  # fmt: skip
_ACTS = ("deploy", "restart", "rename", "rebuild", "migrate", "patch", "split", "freeze")


@dataclass(frozen=True, slots=True)
class Lie:
    """What users typed, and what is made of it."""

    how: str
    said: tuple[str, ...]
    """One or two true sentences."""
    claim: str


def lies(each: int, seed: int = 5) -> list[Lie]:
    """`each` lies of every kind, without repeats."""
    rng = random.Random(seed)
    made: dict[str, Lie] = {}
    for kind in (_denials, _roles, _stitches, _conditions, _hedges):
        before, tries = len(made), 0
        while len(made) < before + each and tries < 100 * each:
            tries += 1
            lie = kind(rng, len(made))
            made.setdefault(f"{lie.said} {lie.claim}", lie)
    return list(made.values())


def _two(rng: random.Random) -> tuple[str, str]:
    one, other = rng.sample(_THINGS, 2)
    return f"{rng.choice('abcdefgh')}{one}", f"{rng.choice('klmnopqr')}{other}"


def _denials(rng: random.Random, number: int) -> Lie:
    thing, act = _two(rng)[0], rng.choice(_ACTS)
    said, claim = (
        (f"Never {act} the {thing} on your own.", f"{act.title()} the {thing} on your own."),
        (f"Do not {act} the {thing} by hand.", f"{act.title()} the {thing} by hand."),
        (f"We must not {act} the {thing} during the day.", f"We must {act} the {thing} during the day."),
        (f"Avoid changes that {act} the {thing} twice.", f"Make changes that {act} the {thing} twice."),
        (f"Nobody may {act} the {thing} alone.", f"Anybody may {act} the {thing} alone."),
        (f"Only the owner may {act} the {thing}.", f"The owner and others may {act} the {thing}."),
    )[number % 6]
    return Lie("negation dropped", (said,), claim)


def _roles(rng: random.Random, number: int) -> Lie:
    one, other = _two(rng)
    act = rng.choice(_ACTS)
    said, claim = (
        (f"Use the {one}, not the {other}.", f"Use the {other}, not the {one}."),
        (f"{act.title()} the {one} before the {other}.", f"{act.title()} the {other} before the {one}."),
        (f"The {one} owns the {other}.", f"The {other} owns the {one}."),
        (f"Prefer the {one} over the {other}.", f"Prefer the {other} over the {one}."),
        (f"The {one} waits for the {other}.", f"The {other} waits for the {one}."),
        (
            f"Copy the tables from the {one} to the {other}.",
            f"Copy the tables from the {other} to the {one}.",
        ),
    )[number % 6]
    return Lie("roles swapped", (said,), claim)


def _stitches(rng: random.Random, number: int) -> Lie:
    one, other = _two(rng)
    act, ban = rng.sample(_ACTS, 2)
    said = (f"Always {act} the {one} on Mondays.", f"Never {ban} the {other} without a backup.")
    claim = (
        f"Always {act} the {other} on Mondays.",
        f"Always {ban} the {other} on Mondays.",
        f"Never {act} the {one} on Mondays.",
        f"Always {act} the {one} without a backup.",
    )[number % 4]
    return Lie("stitched", said, claim)


def _conditions(rng: random.Random, number: int) -> Lie:
    thing, act = _two(rng)[0], rng.choice(_ACTS)
    rule = f"{act.title()} the {thing}"
    said = (
        f"{rule} only when the queue is empty.",
        f"{rule}, unless a customer is waiting.",
        f"If the disk is full, {act} the {thing}.",
        f"{rule} except in the last week of a quarter.",
        f"{rule} as long as the old one still runs.",
    )[number % 5]
    return Lie("condition dropped", (said,), f"{rule}.")


def _hedges(rng: random.Random, number: int) -> Lie:
    thing, act = _two(rng)[0], rng.choice(_ACTS)
    said, claim = (
        (f"I think we {act} the {thing} on Tuesdays.", f"We {act} the {thing} on Tuesdays."),
        (f"Maybe {act} the {thing} first.", f"{act.title()} the {thing} first."),
        (f"The {thing} probably keeps two copies.", f"The {thing} keeps two copies."),
        (f"Should we {act} the {thing} each night?", f"We should {act} the {thing} each night."),
        (f"Suppose we {act} the {thing} in June.", f"We {act} the {thing} in June."),
    )[number % 5]
    return Lie("hedge or question dropped", (said,), claim)
