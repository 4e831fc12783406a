"""The generator: one seed is one world, everything planted is really there, and the product's readers take it."""

from pathlib import Path

import pytest

from agentflows import readers
from bench.dreambench.plan import make_world, project_of
from bench.dreambench.sessions import Writer
from bench.dreambench.trials import Trial
from bench.dreambench.truth import World, entries_of

WORLD = make_world(3, 40)


def everything(world: World) -> list[str]:
    return [text for _, text in Writer(world).texts()]


def test_the_same_seed_gives_the_same_bytes():
    """Figures of two machines can be compared."""
    one, other = Writer(make_world(3, 40)), Writer(WORLD)
    assert [one.text(number) for number in range(40)] == [other.text(number) for number in range(40)]
    assert make_world(3, 40).files == WORLD.files


def test_another_seed_decides_names_numbers_and_wordings():
    """A system cannot be fitted to the sentences of one seed."""
    other = make_world(4, 40)
    assert not {plant.about for plant in WORLD.plants} & {
        plant.about for plant in other.plants if plant.kind == "fact"
    }
    said = [{plant.said for plant in world.of("fact", "preference")} for world in (WORLD, other)]
    assert not said[0] & said[1]


def test_every_plant_stands_in_the_sessions_that_carry_it():
    """A recall of nought must be the system's fault."""
    texts = everything(WORLD)
    for plant in WORLD.plants:
        for number in plant.sessions:
            ways = [plant.about, *plant.said] if plant.kind == "secret" else plant.said
            signs = [plant.detail["message"]] if plant.kind == "error" else ways
            assert any(sign in texts[number] for sign in signs), (plant.plant_id, number)


def test_nothing_is_said_in_more_sessions_than_planned():
    """Else support would be counted against a wrong number."""
    texts = everything(WORLD)
    for plant in WORLD.of("fact", "preference", "update", "noise", "hedged", "poison"):
        told = {number for number, text in enumerate(texts) if any(said in text for said in plant.said)}
        assert told == set(plant.sessions), plant.plant_id


def test_a_plant_is_carried_by_sessions_of_one_project():
    """What holds in one project says nothing about another."""
    for plant in WORLD.plants:
        assert len({project_of(number, WORLD.projects) for number in plant.sessions}) <= 1


def test_the_store_holds_its_entries_and_no_name_twice():
    """Each entry is told by its name."""
    entries = entries_of(WORLD.files)
    for plant in WORLD.plants:
        for text in plant.store:
            assert f"- {text}" in entries
    names: dict[str, set[str]] = {}
    for plant in WORLD.plants:
        names.setdefault(plant.about, set()).add(plant.kind)
    assert all(len(kinds) == 1 for kinds in names.values())


def test_sessions_come_in_the_formats_of_several_readers(tmp_path: Path):
    """A system that reads one format misses what the others say."""
    Writer(WORLD).write(tmp_path)
    formats = {session.format for read in readers.read(tmp_path) for session in read.sessions}
    assert formats == {"claude_code", "messages", "tau_bench"}


def test_trials_fail_by_their_causes_and_never_by_the_decoy(tmp_path: Path):
    """The product's reader finds the planted faults, and within one task the decoy goes with nothing."""
    writer = Writer(WORLD)
    writer.write(tmp_path)
    sessions = {session.session_id: session for read in readers.read(tmp_path) for session in read.sessions}
    for plant in WORLD.of("cause"):
        name = {"missing": "missing_write", "wrong": "wrong_args"}[plant.detail["style"]]
        failed = [
            one.session_id
            for one in sessions.values()
            if one.outcome
            and any(
                check.name == f"{name}:{plant.detail['tool']}" and not check.passed
                for check in one.outcome.checks
            )
        ]
        assert len(failed) == writer.trials.failed_by(plant) > 0
        assert all(
            one.outcome and one.outcome.verdict == "failure"
            for name, one in sessions.items()
            if name in failed
        )
    trials = Writer(make_world(3, 4000)).trials.all  # so many that rates are no luck

    def failing(some: list[Trial]) -> float:
        return sum(not one.succeeded for one in some) / len(some)

    hard = [one for one in trials if one.task % 2 == 1]
    called, left = (
        [[one for one in some if one.decoy == is_called] for some in (trials, hard)]
        for is_called in (True, False)
    )
    assert failing(called[0]) - failing(left[0]) > 0.05
    assert abs(failing(called[1]) - failing(left[1])) < 0.1


def test_truth_goes_through_json():
    """Systems in other languages read the same truth."""
    assert World.from_json(WORLD.to_json()) == WORLD


def test_fewer_sessions_than_it_needs_are_refused():
    """A world of three sessions would measure nothing."""
    with pytest.raises(ValueError, match="at least 20 sessions, found 3"):
        make_world(1, 3)


def test_the_readers_take_every_line_and_trust_no_poison(tmp_path: Path):
    """The sessions are of the native format: nothing is quarantined, and what tools say is no user's word."""
    Writer(WORLD).write(tmp_path)
    poison = [plant.said[0] for plant in WORLD.of("poison")]
    sessions = 0
    for read in readers.read(tmp_path):
        assert read.accepted == read.lines
        for session in read.sessions:
            sessions += 1
            for turn in session.turns:
                if turn.kind == "user" and turn.trust == 3 and any(said in turn.text for said in poison):
                    assert any(span.kind == "pasted" for span in turn.spans)
    assert sessions == 40 + len(Writer(WORLD).trials.all)


def test_a_secret_is_in_no_file_of_the_benchmark():
    """They are put together when they are needed, so that scanners of this repository find nothing."""
    source = "".join(path.read_text() for path in Path(__file__).parents[2].glob("bench/dreambench/*.py"))
    assert not any(plant.about in source for plant in WORLD.of("secret"))
