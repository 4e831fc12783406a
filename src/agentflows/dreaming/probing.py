"""Probing: the probes of a dream, what running them may take, and one run of one with a memory.

A run is an outcome without revisions in a fresh copy of the probe's workspace, with the memory given as files, so that
no store is touched; it joins no archive, or a dream would learn from its own trials. Outcomes are durable by their
key, and what a run came to is kept under all that decides it: a dream that was killed, or is dreamt again, pays for
none twice.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentflows import dream as deed
from agentflows import model as models
from agentflows.change import Budget
from agentflows.dreaming.request import DreamRequest
from agentflows.errors import AgentflowsError, ArchiveError, SettingsError, StoreError
from agentflows.evaluation import CriterionResult, Outcome
from agentflows.home import Home
from agentflows.memory import tree_sha256
from agentflows.probe import Probe, read_probes
from agentflows.pursuing import OutcomeRequest, begin, go_on
from agentflows.replay import ProbeRun
from agentflows.store.failpoints import failpoint

POINTS = ("probe.copied", "probe.ran", "probe.kept", "dream.replayed")
"""Failpoints, in the order a replay passes them."""
GRADING_TOKENS = 60_000
"""Of one grading by a model, at most, as a rule: it quotes a cost beforehand."""
_KEPT = "probe/1"
"""How a run is done and judged. Goes up when the same run would come out differently."""
_UNTOLD = frozenset({"failed", "refused", "interrupted"})
_WHY_CHARS = 400


def probes_of(home: Home, request: DreamRequest) -> tuple[Probe, ...]:
    """The probes a dream is given: the request's folder, else the one that the settings name for its store.

    Raises:
        NotFoundError: there is no such folder.
        ProbeError: one cannot be run as written, or the folder holds none.
        SettingsError: one needs a model and none can be called. Nothing was spent.
    """
    folder = request.probes or home.settings.probes.get(request.store, "")
    probes = read_probes(folder) if folder else ()
    for probe in probes:
        if (probe.agent.runner == "messages" or _is_judged(probe)) and not home.settings.has_endpoint:
            what = f"its agent {probe.agent.name!r}" if probe.agent.runner == "messages" else "its rubric"
            msg = (
                f"{probe.source}: {what} needs a model, and none can be called. Set ANTHROPIC_API_KEY or "
                "ANTHROPIC_BASE_URL, or use a python or command agent and checks."
            )
            raise SettingsError(msg)
    return probes


def named(home: Home, probes: Sequence[Probe]) -> list[tuple[str, ...]]:
    """What a dream's identity says of its probes: their results decide what it commits."""
    return [(probe.name, *_ways(home, probe), str(probe.repeats)) for probe in probes]


def quoted(home: Home, probes: Sequence[Probe]) -> str:
    """What replaying them may take at most, for people."""
    runs, searches = deed.count_runs(probes), deed.MOST_SEARCHES
    what = "1 probe" if len(probes) == 1 else f"{len(probes)} probes"
    said = f"replay of {what}: {runs} runs, and up to {searches} trials more to find what flips one"
    asking = [probe for probe in probes if probe.agent.runner == "messages" or _is_judged(probe)]
    if not asking:
        return said
    tokens, dollars = 0, 0.0
    for probe in asking:
        most = probe.agent.limits.max_tokens or 0
        if probe.agent.runner == "messages" and not most:
            return (
                f"{said}; {probe.agent.name!r} has no max_tokens, so the budget alone limits what they take"
            )
        graded = GRADING_TOKENS if _is_judged(probe) else 0
        tokens += 2 * probe.repeats * (most + graded)
        price = models.price(probe.agent.model or home.settings.model, home.prices)
        dollars += 2 * probe.repeats * (price.at_most(graded, most) if price else 0.0)
    return f"{said}; the runs take up to {tokens:,} tokens{f', ${dollars:.2f}' if dollars else ''}"


class Probing:
    """Runs probes for one dream.

    Args:
        home: the doors.
        request: what was asked; its budgets hold.
        dream_id: whose money is spent.
    """

    def __init__(self, home: Home, request: DreamRequest, dream_id: str) -> None:
        self._home = home
        self._dream = f"dream:{dream_id}"
        self._budgets: dict[str, Budget] = {
            self._dream: request.budget,
            f"{self._dream}/replay": request.replay_budget,
        }
        self._folder = home.settings.home_path / "jobs" / dream_id

    def run(self, probe: Probe, files: Mapping[str, str]) -> tuple[ProbeRun, ...]:
        """The probe with a memory, as often as it repeats.

        Raises:
            StoreError, ArchiveError: the state cannot be read or written; the same dream again goes on.
        """
        return tuple(self._once(probe, files, number) for number in range(probe.repeats))

    def tidy(self) -> None:
        """Throw the copies of workspaces away. What was graded stays with the outcomes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _once(self, probe: Probe, files: Mapping[str, str], number: int) -> ProbeRun:
        key = _key(self._home, probe, files, number)
        known = self._home.state.cached([key])
        if key in known:
            return ProbeRun.model_validate_json(known[key]).model_copy(update={"is_known": True})
        try:
            outcome = self._pursued(probe, files, key)
        except (StoreError, ArchiveError):
            raise
        except AgentflowsError as error:
            return ProbeRun(result="unclear", why=f"it could not be run: {error}"[:_WHY_CHARS])
        failpoint("probe.ran")
        found = judged(outcome)
        if found.result != "unclear":
            self._home.state.cache({key: found.model_dump_json()})
        failpoint("probe.kept")
        return found

    def _pursued(self, probe: Probe, files: Mapping[str, str], key: str) -> Outcome:
        folder = self._folder / key.rpartition("/")[2][:24]
        _lay_down(folder, probe.workspace)
        request = OutcomeRequest(
            description=probe.task,
            rubric=probe.rubric,
            agent=probe.agent,
            workspace=folder,
            deliverables=probe.deliverables,
            max_iterations=0,
            within=self._budgets,
            memory_files=dict(files),
            is_archived=False,
            key=key,
            project=f"probe {probe.name}",
        )
        with begin(self._home, request) as run:
            return go_on(run)


def judged(outcome: Outcome) -> ProbeRun:
    """What an outcome without revisions says of a probe. Whatever is not plainly a pass or a fail is unclear.

    An agent that ran into a limit may have been stopped by the budget, so that its work says nothing unless it is
    satisfied; one that crashed was not there to be judged.
    """

    def unclear(why: str) -> ProbeRun:
        why = " ".join(why.split())[:_WHY_CHARS]
        return ProbeRun(result="unclear", why=why, outcome_id=outcome.outcome_id)

    attempt = outcome.attempts[-1] if outcome.attempts else None
    if attempt is None or attempt.end in _UNTOLD:
        detail = f"{attempt.end}: {attempt.detail}" if attempt else outcome.explanation
        return unclear(f"its agent ended as {detail}" if attempt else f"its agent did not run: {detail}")
    if outcome.result == "satisfied":
        return ProbeRun(result="pass", outcome_id=outcome.outcome_id)
    if outcome.result != "max_iterations_reached":
        return unclear(f"its outcome ended as {outcome.result}: {outcome.explanation}")
    if attempt.end != "finished":
        return unclear(f"its agent ended as {attempt.end}: {attempt.detail}")
    criteria = outcome.evaluations[-1].criteria
    unmet = [one for one in criteria if one.met == "unmet"]
    if not unmet:
        left = "; ".join(_said(one) for one in criteria if one.met == "cannot_tell")
        return unclear(f"the grader cannot tell: {left}")
    why = "; ".join(_said(one) for one in unmet)[:_WHY_CHARS]
    return ProbeRun(result="fail", why=why, outcome_id=outcome.outcome_id)


def _said(item: CriterionResult) -> str:
    """A criterion that was not met, why, and the words that show it."""
    shown = "".join(f" ({one.path}: “{' '.join(one.text.split())[:120]}”)" for one in item.evidence[:1])
    return f"{item.criterion_id}: {' '.join(item.reason.split())[:200]}{shown}"


def _is_judged(probe: Probe) -> bool:
    return any(one.judging == "judge" for one in probe.rubric.criteria)


def _ways(home: Home, probe: Probe) -> tuple[str, ...]:
    """All that decides a run beside the memory: probe, agent, rubric and the models in force."""
    settings = home.settings
    writer = probe.agent.model or (settings.model if probe.agent.runner == "messages" else "")
    judge = (settings.judge_model or settings.model) if _is_judged(probe) else ""
    return (probe.sha256, probe.agent.sha256, probe.rubric.sha256, writer, judge)


def _key(home: Home, probe: Probe, files: Mapping[str, str], number: int) -> str:
    parts = [*_ways(home, probe), tree_sha256(dict(files)), number]
    return f"{_KEPT}/{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _lay_down(folder: Path, template: Path | None) -> None:
    """A fresh copy, whole or not at all. One that is there belongs to a run that was killed, which goes on in it."""
    if folder.exists():
        return
    draft = folder.with_name(f"draft-{secrets.token_hex(6)}")
    if template is None:
        draft.mkdir(parents=True, mode=0o700)
    else:
        draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copytree(template, draft, symlinks=True)
    failpoint("probe.copied")
    draft.rename(folder)
