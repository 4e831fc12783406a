"""Agreement: how far a grader's verdicts are those of people, per criterion and overall, with intervals.

Cohen's kappa compares the grader with the people's majority, item by item. Krippendorff's alpha takes every rater, the
grader among them. Precision and recall are of `unmet`: does the grader's no mean no, and does it find what people find?
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agentflows.errors import RubricError
from agentflows.evaluation import Met
from agentflows.rubric import Rubric
from agentflows.workbench.labels import Label
from agentflows.workbench.statistics import (
    bootstrap,
    cohen_kappa,
    krippendorff_alpha,
    percent_agreement,
    regrade_noise,
    wilson,
)

MINIMUM = 20
"""Below so many items an interval says little (prior art: calibrate on at least 20 labelled items)."""
GRADER = "grader"
Interval = tuple[float, float]


class Measure(BaseModel):
    """One figure with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    """None where it is not defined: nothing to divide by, or no variation to agree beyond chance on."""
    interval: Interval | None = None
    n: int = 0
    """What it is counted over: items, or gradings."""


class CriterionAgreement(BaseModel):
    """How far the verdicts on one criterion, or on all together, agree."""

    model_config = ConfigDict(frozen=True)

    criterion_id: str
    """"" for all criteria together."""
    items: int
    """Items (with all criteria: item and criterion) that both the grader and people judged."""
    raters: tuple[str, ...]
    agreement: Measure
    """Share of items on which grader and majority agree; Wilson's interval."""
    base_rate: Measure
    """Share of items that people call unmet: what a grader that says nothing else would score on them."""
    graded_rate: Measure
    """Share of items that the grader calls unmet."""
    kappa: Measure
    """Cohen's, grader against majority; bootstrap over items."""
    alpha: Measure
    """Krippendorff's, nominal, over all raters and the grader; bootstrap over items."""
    people_alpha: Measure
    """The same among people alone: what a grader can be expected to reach. None with one rater."""
    precision: Measure
    """Of the grader's unmet, the share that people call unmet."""
    recall: Measure
    """Of the people's unmet, the share that the grader calls unmet."""
    ties: int
    """Items left out of everything but alpha, because people were split evenly."""
    noise: Measure
    """How often two gradings of the same item differ; None when nothing was graded twice."""
    notes: tuple[str, ...] = ()
    """What keeps the figures from saying much."""


class Agreement(BaseModel):
    """How far a grader agrees with people on a rubric."""

    model_config = ConfigDict(frozen=True)

    rubric_sha256: str
    overall: CriterionAgreement
    criteria: tuple[CriterionAgreement, ...]
    """In the rubric's order; those without labels are in `unlabelled`."""
    unlabelled: tuple[str, ...] = ()
    grader: str = GRADER


def agree(
    rubric: Rubric, labels: Sequence[Label], verdicts: Sequence[Label] = (), *, grader: str = GRADER
) -> Agreement:
    """Measure agreement.

    Args:
        rubric: what was graded with.
        labels: what people said; rows whose rater is `grader` count as verdicts.
        verdicts: what the grader said, in the same form.
        grader: the name of the rater that is measured.

    Raises:
        RubricError: no item has both a label and a verdict.
    """
    graded = [*verdicts, *(label for label in labels if label.rater == grader)]
    people = [label for label in labels if label.rater != grader]
    shared = {(one.item, one.criterion) for one in graded} & {(one.item, one.criterion) for one in people}
    if not shared:
        msg = (
            f"Expected verdicts of {grader!r} and labels of people on the same item and criterion, found none. "
            f"Give verdicts, or rows whose rater is {grader!r}, that name the items as the labels do."
        )
        raise RubricError(msg)
    order = [criterion.criterion_id for criterion in rubric.criteria]
    labelled = [one for one in order if any(criterion == one for _, criterion in shared)]
    return Agreement(
        rubric_sha256=rubric.sha256,
        overall=_measured("", people, graded),
        criteria=tuple(
            _measured(
                one, [x for x in people if x.criterion == one], [x for x in graded if x.criterion == one]
            )
            for one in labelled
        ),
        unlabelled=tuple(one for one in order if one not in labelled),
        grader=grader,
    )


Key = tuple[str, str]


class _Unit(BaseModel):
    """One item under one criterion: who said what."""

    model_config = ConfigDict(frozen=True)

    people: tuple[Met, ...]
    graded: tuple[Met, ...]


def majority(values: Sequence[Met]) -> Met | None:
    """What most say; None when they are split evenly."""
    counts = Counter(values).most_common(2)
    return None if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]) else counts[0][0]


def _units(people: Sequence[Label], graded: Sequence[Label]) -> list[_Unit]:
    by_key: defaultdict[Key, tuple[dict[str, list[Met]], list[Met]]] = defaultdict(lambda: ({}, []))
    for label in people:
        by_key[label.item, label.criterion][0].setdefault(label.rater, []).append(label.met)
    for label in graded:
        by_key[label.item, label.criterion][1].append(label.met)
    units: list[_Unit] = []
    for raters, verdicts in by_key.values():
        said: list[Met] = [one for values in raters.values() for one in _said(values)]
        units.append(_Unit(people=tuple(said), graded=tuple(verdicts)))
    return units


def _measured(criterion_id: str, people: Sequence[Label], graded: Sequence[Label]) -> CriterionAgreement:
    units = _units(people, graded)
    pairs: list[tuple[Met, Met]] = [
        (theirs, ours) for unit in units for theirs in _said(unit.people) for ours in _said(unit.graded)
    ]
    both = [unit for unit in units if unit.people and unit.graded]
    noise, repeated = regrade_noise([((one.item, one.criterion), one.met) for one in graded])
    raters = tuple(sorted({one.rater for one in people}))
    measured = CriterionAgreement(
        criterion_id=criterion_id,
        items=len(pairs),
        raters=raters,
        agreement=_share(sum(one == two for one, two in pairs), len(pairs), percent_agreement(pairs)),
        base_rate=_share(sum(theirs == "unmet" for theirs, _ in pairs), len(pairs)),
        graded_rate=_share(sum(ours == "unmet" for _, ours in pairs), len(pairs)),
        kappa=Measure(value=cohen_kappa(pairs), interval=bootstrap(pairs, cohen_kappa), n=len(pairs)),
        alpha=_alpha([[*unit.people, *_said(unit.graded)] for unit in units]),
        people_alpha=_alpha([list(unit.people) for unit in units])
        if len(raters) > 1
        else Measure(value=None),
        precision=_of_unmet(pairs, by_grader=True),
        recall=_of_unmet(pairs, by_grader=False),
        ties=len(both) - len(pairs),
        noise=Measure(value=noise, n=repeated),
    )
    return measured.model_copy(update={"notes": tuple(_notes(measured))})


def _said(values: Sequence[Met]) -> list[Met]:
    """The majority, or nothing where there is none."""
    said = majority(values)
    return [] if said is None else [said]


def _share(hits: int, number: int, value: float | None = None) -> Measure:
    share = value if value is not None else (hits / number if number else None)
    return Measure(value=share, interval=wilson(hits, number), n=number)


def _alpha(units: Sequence[Sequence[Met]]) -> Measure:
    pairable = [unit for unit in units if len(unit) > 1]
    return Measure(
        value=krippendorff_alpha(pairable), interval=bootstrap(pairable, krippendorff_alpha), n=len(pairable)
    )


def _of_unmet(pairs: Sequence[tuple[Met, Met]], *, by_grader: bool) -> Measure:
    """Precision (`by_grader`) or recall on unmet."""
    base = [pair for pair in pairs if pair[1 if by_grader else 0] == "unmet"]
    return _share(sum(one == two == "unmet" for one, two in base), len(base))


def _notes(measured: CriterionAgreement) -> list[str]:
    notes: list[str] = []
    if measured.items < MINIMUM:
        notes.append(f"too few (n = {measured.items} < {MINIMUM}): the figures may be chance")
    if measured.kappa.value is None and measured.items:
        notes.append(
            "kappa is not defined: both gave one and the same verdict throughout; label items that fail"
        )
    elif measured.base_rate.value in {0, 1}:
        notes.append(
            "people gave one verdict throughout: recall and kappa say little; label items of both kinds"
        )
    if measured.ties:
        notes.append(f"{measured.ties} items left out: the raters, or the gradings, were split evenly")
    if measured.noise.value:
        notes.append(f"the grader contradicts itself on {measured.noise.value:.0%} of repeated gradings")
    return notes
