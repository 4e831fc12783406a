"""Answers in the schemas that the product's prompts ask for."""

from collections.abc import Sequence
from typing import Any

from bench.dreambench.page import Card
from bench.dreambench.truth import Plant

Answer = dict[str, Any]


def lesson(plant: Plant, quotes: Sequence[tuple[int, str]], said: str) -> Answer:
    """A true lesson."""
    kinds = {"error": "error"} | dict.fromkeys(("preference", "forget", "scope", "safety"), "preference")
    made = raw_lesson(kinds.get(plant.kind, "fact"), plant.about, quotes, said)
    places = [group[0] for group in plant.must[:1]] if plant.kind == "said_trap" else []
    value = plant.detail.get("fix") or (plant.must[0][0] if plant.detail.get("value") else "")
    return {
        **made,
        "attribute": " ".join(["what holds", *places]),
        "scope": plant.scope,
        "value": value,
        "said_outright": made["kind"] == "preference",
    }


def raw_lesson(kind: str, subject: str, quotes: Sequence[tuple[int, str]], said: str) -> Answer:
    """A lesson with every field that the schema asks for."""
    return {
        "quotes": [{"seq": seq, "text": text} for seq, text in quotes],
        "kind": kind,
        "subject": subject,
        "attribute": "what holds",
        "scope": "",
        "claim": said,
        "when": "",
        "when_not": "",
        "stance": "for",
        "value": "",
        "said_outright": kind == "preference",
    }


def change(op: str, cards: Sequence[Card], after: str = "") -> Answer:
    """A reply about one pattern."""
    return {
        "reason": "It says so.",
        "op": op,
        "entry_ids": [card.entry_id for card in cards],
        "path": "/learned.md" if op == "add" else "",
        "heading": "Learned" if op == "add" else "",
        "after": after,
        "risks": [],
    }


def tidying(number: int, op: str, cards: Sequence[Card], after: str = "") -> Answer:
    """A reply about one group."""
    ids = [card.entry_id for card in cards]
    return {
        "nomination": number,
        "reason": "They belong together.",
        "op": op,
        "entry_ids": ids,
        "after": after,
    }


def verdict(number: int, found: str, words: str) -> Answer:
    """What is said of one claim of a change on trial."""
    return {"claim": number, "words": words, "why": "So the sources say.", "verdict": found}
