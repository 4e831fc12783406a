"""Agreement with people: published examples come out as published, and too little data is called that."""

import random
from collections.abc import Sequence

import pytest

from agentflows.errors import RubricError
from agentflows.evaluation import Met
from agentflows.rubric import Rubric, parse_rubric
from agentflows.workbench import Label, agree, parse_labels
from agentflows.workbench.statistics import bootstrap, cohen_kappa, krippendorff_alpha, regrade_noise, wilson

RUBRIC = parse_rubric(
    "- **dated**: It has a date.\n- **short**: It is short.\n- **sourced**: It has a source.\n"
)


def units(*raters: str) -> list[list[str]]:
    """One string per rater, one character per item, `.` for a missing value."""
    return [[value for value in column if value != "."] for column in zip(*raters, strict=True)]


@pytest.mark.parametrize(
    ("raters", "alpha"),
    [
        # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): A binary, B nominal, C four observers
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbcccEddd".replace("E", "e")), 0.692),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_is_that_of_krippendorffs_own_examples(raters: tuple[str, ...], alpha: float):
    """A figure that decides whether a grader is trusted must be the published one, missing values and all."""
    assert krippendorff_alpha(units(*raters)) == pytest.approx(alpha, abs=0.0005)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Fleiss, Statistical Methods for Rates and Proportions (1981), table 13.1: 100 diagnoses by two raters
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),
        ([[20, 5], [10, 15]], 0.4),
        ([[50, 0], [0, 50]], 1.0),
        ([[25, 25], [25, 25]], 0.0),
        ([[0, 50], [50, 0]], -1.0),
    ],
)
def test_kappa_is_that_of_published_tables(table: Sequence[Sequence[int]], kappa: float):
    """Rows are one rater, columns the other."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    assert cohen_kappa(pairs) == pytest.approx(kappa, abs=0.0005)


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_that_of_newcombes_table(hits: int, number: int, low: float, high: float):
    """Agreement near 100 % with few items needs an interval that does not end above 1."""
    assert wilson(hits, number) == pytest.approx((low, high), abs=0.00006)


def test_where_nothing_varies_agreement_beyond_chance_is_not_defined():
    """A grader that approves everything has 100 % agreement on good work, and has shown nothing."""
    assert cohen_kappa([("met", "met")] * 30) is None
    assert krippendorff_alpha([["met", "met"]] * 30) is None
    assert cohen_kappa([]) is None
    assert krippendorff_alpha([["met"], []]) is None
    assert wilson(0, 0) is None


def test_a_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    """95 % is a promise: of 200 samples from a population with a known kappa, few intervals may miss it."""
    draw = random.Random(7)
    population = [(1, 1)] * 40 + [(0, 0)] * 35 + [(1, 0)] * 10 + [(0, 1)] * 15
    truth = cohen_kappa(population)
    assert truth is not None
    hits = 0
    for seed in range(200):
        found = bootstrap(draw.choices(population, k=60), cohen_kappa, resamples=200, seed=seed)
        assert found is not None
        hits += found[0] <= truth <= found[1]
    assert 178 <= hits <= 199


def test_the_noise_of_regrading_is_the_share_of_pairs_that_differ():
    """A grader that contradicts itself cannot agree with anybody."""
    assert regrade_noise([("a", 1), ("a", 1), ("b", 1), ("b", 0), ("c", 1)]) == (0.5, 2)
    assert regrade_noise([("a", 1), ("a", 1), ("a", 0)]) == (pytest.approx(2 / 3), 1)
    assert regrade_noise([("a", 1)]) == (None, 0)


def said(rater: str, criterion: str, values: str) -> list[Label]:
    """One label per character: m met, u unmet, ? cannot tell, `.` none."""
    words: dict[str, Met] = {"m": "met", "u": "unmet", "?": "cannot_tell"}
    return [
        Label(item=f"i{place}", criterion=criterion, rater=rater, met=words[value])
        for place, value in enumerate(values)
        if value != "."
    ]


def test_a_grader_is_measured_against_the_majority_per_criterion_and_overall():
    """Which criterion is misread is what an author can mend; one number for all would hide it."""
    people = [
        *said("ada", "dated", "mmmmmuuuuu" * 2),
        *said("bob", "dated", "mmmmmuuuuu" * 2),
        *said("eve", "dated", "uuuuummmmm" * 2),
        *said("ada", "short", "mmmmmuuuuu" * 2),
    ]
    grader = [*said("grader", "dated", "mmmmmuuuuu" * 2), *said("grader", "short", "mmmmmmmmuu" * 2)]
    found = agree(RUBRIC, people, grader)
    dated, short = found.criteria
    assert (dated.criterion_id, dated.kappa.value, dated.agreement.value, dated.raters) == (
        "dated",
        1,
        1,
        ("ada", "bob", "eve"),
    )
    assert (short.precision.value, short.recall.value) == (1, 0.4)
    assert (short.base_rate.value, short.graded_rate.value) == (0.5, 0.2)
    assert short.kappa.value == pytest.approx(0.4)
    assert short.kappa.interval is not None
    assert short.kappa.interval[0] < 0.4 < short.kappa.interval[1]
    assert short.people_alpha.value is None
    assert dated.people_alpha.value is not None
    assert found.overall.items == 40
    assert found.unlabelled == ("sourced",)
    assert (dated.notes, short.notes) == ((), ())


def test_too_few_items_are_called_that():
    """Five labels that agree prove nothing, and the report must not read as if they did."""
    found = agree(RUBRIC, said("ada", "dated", "mmuum"), said("grader", "dated", "mmuum"))
    assert found.criteria[0].notes == ("too few (n = 5 < 20): the figures may be chance",)
    assert found.criteria[0].agreement.interval == pytest.approx((0.5655, 1.0), abs=0.0005)
    same = agree(RUBRIC, said("ada", "dated", "m" * 25), said("grader", "dated", "m" * 25))
    assert same.criteria[0].notes == (
        "kappa is not defined: both gave one and the same verdict throughout; label items that fail",
    )


def test_split_raters_and_repeated_gradings_are_reported():
    """An even split is no label; a grader's own noise bounds what it can reach."""
    people = [*said("ada", "dated", "mu"), *said("bob", "dated", "mm")]
    grader = [*said("grader", "dated", "mm"), *said("grader", "dated", "um"), *said("grader", "dated", "m.")]
    measured = agree(RUBRIC, people, grader).criteria[0]
    assert (measured.items, measured.ties) == (1, 1)
    assert measured.noise.value == pytest.approx(1 / 3)
    assert measured.noise.n == 2
    assert any("contradicts itself on 33%" in note for note in measured.notes)


def test_the_grader_may_stand_in_the_same_file_as_the_people():
    """One spreadsheet is the easiest way to hand labels around."""
    text = "item;criterion;rater;met;remark\na;dated;ada;yes;x\na;dated;grader;1;\n\nb;dated;ada;No;\nb;dated;grader;unmet;\nb;short;ada;;\n"
    found = agree(RUBRIC, parse_labels(text, RUBRIC))
    assert (found.overall.items, found.overall.agreement.value) == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns item, criterion, rater, met, found none"),
        ("item,criterion,met\n", "Add rater to the first line"),
        ("item,criterion,rater,met\n", "expected labels below the header, found none"),
        ("item,criterion,rater,met\na,dated,ada,met\na,datde,ada,met\n", "line 3: expected a criterion of the rubric, found 'datde'. Its ids are: dated, short, sourced"),
        ("item,criterion,rater,met\na,dated,ada,perhaps\n", "line 2: expected met, unmet or cannot_tell, found 'perhaps'"),
        ("item,criterion,rater,met\na,dated\n", "line 2: expected 4 columns, found 2"),
        ("item,criterion,rater,met\na,dated,,met\n", "line 2: expected a value for rater"),
        ('item,criterion,rater,met\na,"dated,ada,met\n', "expected CSV, found a mistake in it"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_line(text: str, message: str):
    """Labels cost people hours: whoever typed them must find the one wrong cell."""
    with pytest.raises(RubricError) as caught:
        parse_labels(text, RUBRIC, source="l.csv")
    assert message in str(caught.value)
    assert str(caught.value).startswith("l.csv, line ")


def test_verdicts_on_other_items_than_the_labels_are_refused():
    """A misspelt item would otherwise measure nothing and say so in no line."""
    with pytest.raises(RubricError, match="on the same item and criterion, found none"):
        agree(RUBRIC, said("ada", "dated", "m"), said("grader", "short", "m"))


def test_the_same_labels_give_the_same_report():
    """A figure that changes from run to run cannot be compared."""
    rubric: Rubric = RUBRIC
    people, grader = said("ada", "dated", "mumu" * 6), said("grader", "dated", "mumm" * 6)
    assert agree(rubric, people, grader) == agree(rubric, people, grader)
