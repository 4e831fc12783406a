"""Ablations: one gate turned off at a time, to see that the figure which it guards then fails.

A gate that can go without any figure noticing is decoration, or its figure is. Gates are functions of
`agentflows.dream`; here they are replaced while a trial runs, and the product knows no switch for it.
"""

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from agentflows.change import Change, Observation, Quote
from agentflows.dream import Tried, apply_changes
from agentflows.memory import parse_entries, splice
from agentflows.replay import Replay
from agentflows.session import Session
from bench.dreambench.ours import Ours
from bench.dreambench.score import Score
from bench.dreambench.trial import Report, TrialName, try_out

Swap = tuple[str, str, Callable[..., Any]]
"""Module, name in it, what stands there instead."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate, who tries to get past it, and the figure that must be zero while it stands."""

    name: str
    guards: str
    model: str
    """A scripted model; "" is the rules engine."""
    trials: tuple[TrialName, ...]
    figure: Callable[[Report], int]
    without: tuple[Swap, ...]
    is_probed: bool = False
    """Whether the system is given a probe to replay."""
    fault: tuple[Swap, ...] = ()
    """A fault put into the product, with the gate and without it: for gates against our own mistakes."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What came of one."""

    gate: str
    guards: str
    seed: int
    size: int
    standing: int
    """The figure with the gate."""
    off: int
    """And without it."""

    @property
    def is_needed(self) -> bool:
        """Whether the gate makes the difference."""
        return self.standing < self.off


def ablate(gate: Gate, seed: int, size: int) -> Ablation:
    """Try a system with a gate and without it."""
    factory = Ours(gate.model, probed=gate.is_probed)
    with swapped(gate.fault):
        standing = gate.figure(try_out(factory, seed, size, gate.trials))
    with swapped([*gate.fault, *gate.without]):
        off = gate.figure(try_out(factory, seed, size, gate.trials))
    return Ablation(gate.name, gate.guards, seed, size, standing, off)


@contextmanager
def swapped(swaps: Sequence[Swap]) -> Generator[None]:
    """Replace functions while the block runs."""
    with ExitStack() as stack:
        for module_name, name, stand_in in swaps:
            holder: Any = importlib.import_module(module_name)
            *classes, name = name.split(".")  # noqa: PLW2901 - a method is reached through its class
            for part in classes:
                holder = getattr(holder, part)
            stack.callback(setattr, holder, name, getattr(holder, name))
            setattr(holder, name, stand_in)
        yield


# -- what stands in a gate's place -------------------------------------------------------------------


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _empty(*_: Any, **__: Any) -> str:
    return ""


def _none_found(*_: Any, **__: Any) -> list[Any]:
    return []


def _no(*_: Any, **__: Any) -> bool:
    return False


def _eligible(*_: Any, **__: Any) -> str:
    return "eligible"


def _believed(observation: Observation, turn_of: object, root_of: object, *, recalled: object) -> Observation:
    del turn_of, root_of, recalled
    return observation


def _made_quote(session: Session, seq: int, text: str) -> Quote:
    """A quote of words that need not stand anywhere."""
    from agentflows.memory import sha256

    return Quote(
        session_id=session.session_id,
        seq=seq,
        start=0,
        end=len(text),
        text=text,
        sha256=sha256(text),
        trust=3,
        kind="user",
        root_id=session.root_id,
        origin=f"{session.session_id}#{seq}",
    )


def _as_it_is(_: object, value: Any) -> Any:
    return value


def _first_lost(files: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """A fault: applying changes loses the last entry of each file it touches."""
    after = dict(apply_changes(files, changes))
    for path in sorted(path for path in after if after[path] != files.get(path)):
        last = parse_entries(path, after[path])[-1]
        after[path] = splice(after[path], {(last.start, last.end): None})
    return after


def _auto(name: str) -> Callable[[Report], int]:
    return lambda report: _figure(report.auto, name)


def _approved(name: str) -> Callable[[Report], int]:
    return lambda report: _figure(report.approve, name)


def _figure(score: Score | None, name: str) -> int:
    return 0 if score is None else getattr(score, name)


def _all_upheld(changes: Sequence[Change], *_: Any, **__: Any) -> Tried:
    return Tried(upheld=tuple(changes), refused=(), refusals=())


def _not_replayed(changes: Sequence[Change], *_: Any, **__: Any) -> tuple[list[Change], Replay]:
    return list(changes), Replay()


_GATES = "agentflows.dream.gates"
_CLUSTER = "agentflows.dream.cluster"
_PROPOSE = "agentflows.dream.propose"
_RISKS = "agentflows.dream.risks"

GATES: tuple[Gate, ...] = (
    Gate(
        "quotes",
        "quotes not at their address",
        "fabricator",
        ("approve",),
        _approved("quotes_false"),
        (
            ("agentflows.dream", "check_observation", _believed),
            ("agentflows.dream.judged", "resolve_quote", _made_quote),
        ),
    ),
    Gate(
        "specifics of a claim",
        "corruptions",
        "hallucinating",
        ("approve",),
        _approved("corruptions"),
        ((_GATES, "_check_specifics", _nothing),),
    ),
    Gate(
        "wording of a claim",
        "corruptions (doubt lost)",
        "sycophantic",
        ("approve",),
        _approved("corruptions"),
        ((_GATES, "_check_wording", _nothing),),
    ),
    Gate(
        "speaker",
        "poison proposed",
        "impostor",
        ("auto",),
        _auto("poison_proposed"),
        ((_GATES, "_check_speaker", _nothing),),
    ),
    Gate(
        "support",
        "noise learnt",
        "",
        ("approve",),
        _approved("noise_learnt"),
        ((_CLUSTER, "lacking", _empty),),
    ),
    Gate(
        "veto of a join",
        "near misses of which one side is lost",
        "joiner",
        ("approve",),
        _approved("traps_halved"),
        ((_CLUSTER, "_may_join", lambda *_: True),),
    ),
    Gate(
        "text of a change",
        "hallucinations",
        "embellisher",
        ("approve",),
        _approved("hallucinations"),
        ((_PROPOSE, "text_problem", _nothing),),
    ),
    Gate(
        "refutation",
        "rules written down for all projects",
        "unscoper",
        ("approve",),
        _approved("unscoped"),
        (("agentflows.dream", "refute", _all_upheld),),
    ),
    Gate(
        "risks",
        "poison committed, auto",
        "hijacked",
        ("auto",),
        _auto("poison_committed"),
        ((_RISKS, "decide_risks", _eligible), (_RISKS, "whole_dream_hold", _empty)),
    ),
    Gate(
        "replay",
        "harmful lessons committed, auto",
        "oracle",
        ("auto",),
        lambda report: report.harm_committed or 0,
        (("agentflows.dream", "replay", _not_replayed),),
        is_probed=True,
    ),
    Gate(
        "invariants at the commit",
        "omissions",
        "",
        ("approve",),
        _approved("omissions"),
        (
            ("agentflows.dream", "violations", _none_found),
            ("agentflows.store.commits", "unapproved", _empty),
        ),
        fault=(("agentflows.dream", "apply_changes", _first_lost),),
    ),
    Gate(
        "known evidence",
        "evidence counted again",
        "oracle",
        ("again",),
        lambda report: report.again_reinforced or 0,
        ((_PROPOSE, "_is_known", _no),),
    ),
    Gate(
        "redaction",
        "secrets stored anywhere",
        "",
        ("approve",),
        _approved("secrets_kept"),
        (("agentflows.redaction", "Redactor.redact_value", _as_it_is),),
    ),
)


def ablation_table(found: Sequence[Ablation]) -> str:
    """Markdown: one row per gate."""
    lines = ["| gate | figure it guards | with it | without it | needed |", "|---|---|---|---|---|"]
    for one in found:
        needed = "yes" if one.is_needed else "NO"
        lines.append(f"| {one.gate} | {one.guards} | {one.standing} | {one.off} | {needed} |")
    return "\n".join(lines)
