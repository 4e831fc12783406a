"""Whole dreams with rules find what is true, over the example project and over real sessions, and leave the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentflows.archive import Archive
from agentflows.change import Change, Observation, Pattern, Refusal
from agentflows.dream.cluster import cluster
from agentflows.dream.gates import check_observation
from agentflows.dream.outcomes import OUTCOME_QUERIES, outcome_patterns
from agentflows.dream.propose import propose
from agentflows.dream.rules import RulesEngine
from agentflows.dream.scopes import in_words
from agentflows.readers import read
from agentflows.session import Session, Turn

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass
class Dreamt:
    """What a dream with rules found."""

    patterns: list[Pattern]
    outcomes: list[Pattern]
    refused: list[Refusal]
    changes: list[Change]
    files: dict[str, str]

    def sessions(self, subject: str, attribute: str = "") -> int:
        """How many sessions stand behind a pattern; 0 when there is none."""
        found = [one for one in self.patterns if one.subject == subject and attribute in one.attribute]
        return max((len(one.sessions) for one in found), default=0)

    def claim(self, subject: str, attribute: str) -> str:
        """What is said of an outcome; "" when nothing is."""
        found = (one for one in self.outcomes if one.subject == subject and one.attribute == attribute)
        return next((one.claim for one in found), "")

    def change(self, text: str) -> Change:
        """The one change whose text holds `text`."""
        (found,) = [one for one in self.changes if text in (one.after or "")]
        return found


def dream(root: Path, source: Path, files: dict[str, str], *, support: int) -> Dreamt:
    """A dream without a model or a state database: read, extract, check, cluster, propose."""
    engine = RulesEngine()
    with Archive(root) as archive:
        archive.add(read(source))
        infos = archive.info()
        roots = {info.session_id: info.root_id for info in infos}
        observed: list[Observation] = []
        for session in archive.sessions([info.session_id for info in infos]):
            observed.extend(_checked(engine, session, archive, roots))
        patterns, refused = cluster(observed, engine, support=support)
        mined = {name: archive.pattern(name, limit=500) for name in OUTCOME_QUERIES}

        def turns_of(session_id: str) -> Sequence[Turn]:
            return next(iter(archive.sessions([session_id]))).turns

        outcomes, vanished = outcome_patterns(mined, turns_of, support=support)
    projects = {info.project for info in infos}
    patterns, outcomes = in_words(patterns, projects), in_words(outcomes, projects)
    changes, unwritten = propose([*patterns, *outcomes], files, engine, dream_id="drm_1", support=support)
    return Dreamt(patterns, outcomes, [*refused, *vanished, *unwritten], changes, files)


def _checked(
    engine: RulesEngine, session: Session, archive: Archive, roots: dict[str, str]
) -> list[Observation]:
    def turn_of(session_id: str, seq: int) -> Turn:
        return session.turns[seq] if session_id == session.session_id else archive.turn(session_id, seq)

    checked = [
        check_observation(one, turn_of, lambda name: roots.get(name, name))
        for one in engine.extract(session, [])
    ]
    return [one for one in checked if isinstance(one, Observation)]


@pytest.fixture(scope="module")
def coding(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dreamt:
    """45 sessions of one project, beside the memory file with a wrong note."""
    folder = real_data / "claude-code-packmind"
    note = (folder / "memory" / "CLAUDE.2026-02-18_rtk-note-added.md").read_text("utf-8")
    return dream(tmp_path_factory.mktemp("coding"), folder / "sessions", {"/CLAUDE.md": note}, support=3)


@pytest.fixture(scope="module")
def airline(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dreamt:
    """200 customer-service sessions with rewards: 50 tasks, 4 trials each."""
    return dream(
        tmp_path_factory.mktemp("airline"), real_data / "tau-bench" / "gpt-4o-airline.json.gz", {}, support=3
    )


@pytest.fixture(scope="module")
def telecom(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dreamt:
    """40 sessions with rewards: each task once."""
    return dream(
        tmp_path_factory.mktemp("telecom"),
        real_data / "tau2-bench" / "gpt-4.1_telecom.json.gz",
        {},
        support=3,
    )


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("subject", "attribute", "known"),
    [
        ("biome check", "check fails", 23),
        ("Edit", "String to replace not found", 18),
        ("rtk bun", "unrecognized subcommand", 12),
        ("bun test", "check run fails", 8),
        ("Skill", "Unknown skill: commit", 6),
        ("bun test", "failures from tmp/clones/", 3),
        ("tsc", "check fails", 3),
    ],
)
def test_every_recurring_error_is_found_with_its_sessions(
    coding: Dreamt, subject: str, attribute: str, known: int
):
    """The counts were taken from the raw logs by other means."""
    assert coding.sessions(subject, attribute) == pytest.approx(known, rel=0.1)


@pytest.mark.real_data
def test_the_wrong_note_is_narrowed_and_keeps_every_byte(coding: Dreamt):
    """The note's prefix helps with most commands and breaks one: the exception is what was missing."""
    change = coding.change("**Exception:** `rtk bun` fails")
    assert change.op == "narrow"
    assert change.before is not None
    assert change.before.startswith("**Always prefix commands with `rtk`**")
    assert (change.after or "").startswith(change.before)
    assert "Run `bun …` directly." in (change.after or "")
    assert change.support == 12


@pytest.mark.real_data
def test_each_lesson_says_what_to_do(coding: Dreamt):
    """A lesson that only complains is no lesson."""
    assert "`bun run lint:fix` repairs" in (coding.change("`biome check` fails").after or "")
    assert "only in whitespace (it indents with tabs)" in (coding.change("`Edit` fails").after or "")
    assert "does not exist here" in (coding.change("Unknown skill: commit").after or "")
    assert "run it before committing" in (coding.change("`tsc` fails").after or "")


@pytest.mark.real_data
def test_what_is_weak_or_once_is_not_promoted(coding: Dreamt):
    """Stale files, one-off frictions, refused calls and permissions for one commit stay out."""
    written = "\n".join(change.after or "" for change in coding.changes).lower()
    for word in (
        "modified since read",
        "stale",
        "no-verify",
        "posix_spawn",
        "sibling",
        "interrupted",
        "wait,",
    ):
        assert word not in written
    assert len(coding.changes) <= 10


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("subject", "attribute", "counted"),
    [
        ("cancel_reservation", "unexpected_write", "In 22 of 116"),
        ("book_reservation", "wrong_args", "In 18 of 116"),
        ("update_reservation_flights", "missing_write", "In 18 of 116"),
        ("update_reservation_flights", "wrong_args", "In 17 of 116"),
        ("cancel_reservation", "missing_write", "In 16 of 116"),
        ("update_reservation_baggages", "missing_write", "In 13 of 116"),
        ("update_reservation_flights", "unexpected_write", "In 12 of 116"),
        ("book_reservation", "uses and failure", "in 24 sessions, and 23 of them failed"),
        (
            "payment amount does not add up, total price is …, but paid …",
            "errmsg and failure",
            "in 13 sessions, and 12 of them failed",
        ),
    ],
)
def test_the_causes_of_failed_sessions_are_found(airline: Dreamt, subject: str, attribute: str, counted: str):
    """Root causes, the telling error and the telling tool, with the counts of the raw records."""
    assert counted in airline.claim(subject, attribute)


@pytest.mark.real_data
def test_decoys_are_refused_and_the_report_shows_why(airline: Dreamt):
    """Both differ at p < 1e-6 over all sessions and vanish within tasks."""
    reasons = {one.key: one.reason for one in airline.refused if one.gate == "stratified_lift"}
    assert "p = 0.69" in reasons["outcome|no_write_made"]
    assert "p = 0.86" in reasons["outcome|uses:transfer_to_human_agents"]
    said = " ".join(one.claim for one in airline.outcomes)
    assert "transfer_to_human_agents" not in said
    assert "nothing was written" not in said.lower()


@pytest.mark.real_data
def test_an_error_that_all_sessions_survived_is_not_called_harmful(airline: Dreamt):
    """`payment method not found`: four sessions, all passed."""
    assert not [one for one in airline.outcomes if "payment method not found" in one.claim]


@pytest.mark.real_data
def test_association_is_called_association(airline: Dreamt):
    """And waits for a person."""
    uses = [one for one in airline.changes if "and 23 of them failed" in (one.after or "")]
    assert "An association, not a proven cause" in (uses[0].after or "")
    assert "uncertain" in uses[0].risks


@pytest.mark.real_data
def test_customers_small_talk_is_no_memory(airline: Dreamt):
    """Thanks, wishes and record numbers come back in hundreds of sessions."""
    assert {one.kind for one in airline.patterns} <= {"error", "correction"}
    assert not [
        one for one in airline.changes if one.pattern_key.startswith(("correction", "fact", "preference"))
    ]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("subject", "attribute", "counted"),
    [
        ("transferred_when_not_expected", "check failed", "In 16 of 22"),
        ("toggle_roaming", "missing_user_action", "In 13 of 22"),
        ("enable_roaming", "missing_write", "In 8 of 22"),
        ("refuel_data", "missing_write", "In 6 of 22"),
    ],
)
def test_what_users_were_never_told_is_found(telecom: Dreamt, subject: str, attribute: str, counted: str):
    """All four never happen in a session that succeeded."""
    claim = telecom.claim(subject, attribute)
    assert counted in claim
    assert "of the sessions that succeeded, in 0" in claim


@pytest.mark.real_data
def test_tools_that_follow_from_the_task_are_not_blamed(telecom: Dreamt):
    """Each task ran once, so a tool's failure rate is that of the tasks that need it."""
    assert not [one for one in telecom.outcomes if one.attribute.startswith("uses")]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["coding", "airline", "telecom"])
def test_a_second_dream_over_the_same_sessions_adds_nothing(request: pytest.FixtureRequest, name: str):
    """What was written is recognised, whatever file it stands in."""
    assert _again(request.getfixturevalue(name)) == {"reinforce"}


def _again(dreamt: Dreamt) -> set[str]:
    """The operations of a dream over the same sessions, once the first one's texts are in the store."""
    files = dict(dreamt.files)
    for change in dreamt.changes:
        if change.op in {"narrow", "supersede"} and change.before:
            files[change.path] = files[change.path].replace(change.before, change.after or "")
    added = [change.after or "" for change in dreamt.changes if change.op == "add"]
    files["/learned.md"] = "# Learned\n\n" + "\n".join(added) + "\n"
    patterns = [*dreamt.patterns, *dreamt.outcomes]
    changes, _ = propose(patterns, files, RulesEngine(), dream_id="drm_2", support=2)
    return {change.op for change in changes if change.pattern_id}


# -- the example project ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Dreamt:
    """Invented sessions with known lessons and traps, beside two memory files."""
    files = {f"/{path.name}": path.read_text("utf-8") for path in (EXAMPLES / "memory").glob("*.md")}
    return dream(tmp_path_factory.mktemp("harbor"), EXAMPLES / "sessions", files, support=2)


@pytest.mark.parametrize(
    ("op", "part", "support"),
    [
        ("narrow", "**Exception:** `make test` fails", 7),
        ("add", "`pnpm format` repairs", 11),
        ("add", "only in whitespace (it indents with tabs)", 5),
        ("add", "It worked after `docker compose up -d db`", 5),
        ("supersede", "The staging API listens on port 9443", 2),
        ("add", "Always keep amounts in integer cents.", 2),
        ("add", "write commit messages in English", 1),
        ("add", "Übersetzungen mit `pnpm i18n:check` prüfen", 1),
        ("add", "commit and update the changelog", 14),
        ("merge", "all times in UTC", 0),
    ],
)
def test_the_example_project_teaches_what_it_was_written_to_teach(
    harbor: Dreamt, op: str, part: str, support: int
):
    """Each line of the example's table of lessons."""
    change = harbor.change(part)
    assert (change.op, change.support) == (op, support)


def test_the_example_projects_two_timeouts_are_flagged(harbor: Dreamt):
    """A person must say which."""
    (flag,) = [one for one in harbor.changes if one.op == "flag"]
    assert "10" in flag.reason
    assert "30" in flag.reason


def test_the_example_projects_traps_hold(harbor: Dreamt):
    """Poison, test-first failures, one-offs, wishes, pasted rules and sub-agents reach no memory."""
    written = "\n".join(change.after or "" for change in harbor.changes)
    for trap in (
        "VERIFY_TLS",
        "NameError",
        "No space left",
        "websockets",
        "one parcel",
        "be brief",
        "carrier's reference",
    ):
        assert trap not in written
    touched = " ".join(
        change.before or "" for change in harbor.changes if change.op in {"merge", "retire", "supersede"}
    )
    assert "wipe_tenant" not in touched


def test_a_second_dream_over_the_example_project_adds_nothing(harbor: Dreamt):
    """Preferences, facts and exceptions are recognised as well as errors."""
    assert _again(harbor) <= {"reinforce"}
