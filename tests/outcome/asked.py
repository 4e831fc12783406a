"""A grader's model by script: what it was asked, and what it says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agentflows.evaluation import Deliverable
from agentflows.outcome import Frozen

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Said(Generic[T]):
    value: T


@dataclass
class Model:
    """Answers each question by a script of its whole text."""

    script: Callable[[str], Mapping[str, Any] | Exception]
    asked: list[str] = field(default_factory=list[str])

    def __call__(
        self,
        *,
        system: Sequence[str],
        user: Sequence[str],
        schema: type[T],
        max_tokens: int,
        purpose: str,
        usable: Callable[[T], bool],
    ) -> Said[T]:
        self.asked.append("\n".join([*system, *user]))
        found = self.script(self.asked[-1])
        if isinstance(found, Exception):
            raise found
        return Said(schema.model_validate(found))


def judged(
    criterion: str, verdict: str = "met", *quotes: tuple[str, str], needed: str = ""
) -> dict[str, Any]:
    return {
        "criterion": criterion,
        "reason": f"because of {criterion}",
        "quotes": [{"path": path, "text": text} for path, text in quotes],
        "verdict": verdict,
        "needed": needed,
    }


def reply(
    *criteria: dict[str, Any], reads: Sequence[dict[str, Any]] = (), applies: bool = True
) -> dict[str, Any]:
    return {
        "reads": list(reads),
        "applies_reason": "it is what the rubric is about" if applies else "it is a photograph",
        "applies": applies,
        "criteria": list(criteria),
    }


def frozen(folder: Path, files: Mapping[str, str | bytes]) -> Frozen:
    """Files as they were frozen."""
    made: list[Deliverable] = []
    for path, content in files.items():
        body = content.encode() if isinstance(content, str) else content
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
        made.append(Deliverable(path=path, sha256=sha256(body).hexdigest(), size_bytes=len(body)))
    return Frozen(folder, tuple(made))
