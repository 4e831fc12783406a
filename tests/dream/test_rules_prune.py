"""What only looks alike stays apart: order, headings, quotes and steps decide, and a past day ends an entry."""

from datetime import date

import pytest

from agentflows.dream.lapsing import ends
from agentflows.dream.nominate import nominate_pairs
from agentflows.dream.order import names_moved, reordered
from agentflows.dream.rules import RulesEngine
from agentflows.memory import parse_entries

ENGINE = RulesEngine(today=date(2026, 4, 1))


def pruned(*files: str) -> list[str]:
    """What a dream would do to the files' own entries."""
    entries = [
        entry for number, text in enumerate(files) for entry in parse_entries(f"/file{number}.md", text)
    ]
    return [made.op for made in ENGINE.prune(nominate_pairs(entries), "")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada cites Bo in her paper on tides.", "Bo cites Ada in her paper on tides."),
        (
            "Jo Hill published a book about reefs, cited by Max Ray.",
            "Max Ray published a book about reefs, cited by Jo Hill.",
        ),
    ],
)
def test_names_that_changed_places_are_flagged_and_never_merged(one: str, other: str):
    """Every word is shared, and the opposite is said."""
    assert pruned(f"- {one}\n- {other}\n") == ["flag"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Copy `a.txt` over `b.txt` after each run.", "Copy `b.txt` over `a.txt` after each run."),
        ("Use tabs for blocks, spaces for tables.", "Use spaces for blocks, tabs for tables."),
        ("Deploy the gateway before the workers start.", "Deploy the workers before the gateway start."),
        ("The chapter is about her own finds.", "The chapter is about her own finds rather than his."),
    ],
)
def test_other_orders_and_turns_are_not_merged(one: str, other: str):
    """What stands first, and what stands in place of what, is what is said."""
    assert "merge" not in pruned(f"- {one}\n- {other}\n")


def test_equals_in_another_order_say_the_same():
    """A list of names has no first."""
    assert pruned("- Ada and Bo own the release train.\n- Bo and Ada own the release train.\n") == ["merge"]
    assert not names_moved("Ada, Bo and Cy review it.", "Cy, Bo and Ada review it.")


def test_one_move_is_another_way_to_put_it():
    """A verb goes where the sentence needs it."""
    assert not reordered("Store all times in UTC.", "All times are to be stored in UTC.")
    assert reordered("The client calls the server.", "The server calls the client.")


def test_headings_say_what_an_entry_is_about():
    """A short line under two headings is two lines; under staging and production, so is a long one."""
    assert pruned("## Web\n\n- Run `make build` first.\n\n## Worker\n\n- Run `make build` first.\n") == []
    rule = "Restart the gateway, then the workers, then watch the queue drain."
    assert pruned(f"## Staging\n\n- {rule}\n\n## Production\n\n- {rule}\n") == []
    assert pruned(f"## Release 1.2\n\n- {rule}\n\n## Release 1.3\n\n- {rule}\n") == []
    assert pruned(f"## Ops\n\n- {rule}\n", f"## Notes\n\n- {rule}\n") == ["merge"]


def test_values_under_two_headings_need_not_contradict():
    """Each service has a port."""
    assert pruned("## Api\n\n- It listens on port 8080.\n\n## Web\n\n- It listens on port 9090.\n") == []


def test_what_is_quoted_is_meant_as_it_is():
    """Two searches for different words are two searches."""
    assert (
        pruned(
            '- Search for "blue lamp" and then check the price.\n- Search for "lamp" and then check the price, blue.\n'
        )
        == []
    )


def test_steps_of_two_procedures_stay_in_both():
    """A numbered line belongs to its list."""
    step = "1. Check that the working tree has no changes left.\n"
    assert pruned(f"# A\n\n{step}", f"# B\n\n{step}") == []


def test_stories_do_not_contradict_each_other():
    """What went wrong for 20 dollars and for 50 happened twice."""
    one = (
        "I bought more than my budget of $20. The results were poor. Next time I will check the price first."
    )
    assert pruned(f"- {one}\n- {one.replace('20', '50')}\n") == []


def test_lessons_that_differ_in_their_counts_alone_say_the_same():
    """How often and when something was said is no part of it: without this a learned duplicate would stay for ever."""
    rule = "- Never push directly to main."
    stamps = [
        "(said in 2 sessions, last on 2026-02-22)",
        "(said in 4 sessions from 3 sources, last on 2026-03-01)",
    ]
    assert pruned(f"# Rules\n\n{rule} {stamps[0]}\n{rule} {stamps[1]}\n") == ["merge"]
    assert pruned(f"# Rules\n\n{rule} {stamps[0]}\n{rule}\n") == ["merge"]


def test_many_copies_become_one_at_once():
    """Three and more are merged together, not pair by pair over several dreams."""
    rule = "- Write every log line as one JSON object."
    entries = parse_entries("/a.md", f"{rule}\n{rule}\n{rule}.\n{rule}\n")
    (made,) = ENGINE.prune(nominate_pairs(entries), "")
    assert (made.op, len(made.entry_ids)) == ("merge", 4)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Frozen until 2026-03-15.", "2026-03-15"),
        ("Gesperrt bis zum 15.03.2026.", "2026-03-15"),
        ("Valid until March 15, 2026.", "2026-03-15"),
        ("It ends on 15 March 2026.", "2026-03-15"),
        ("Bloqueado hasta el 15 de marzo de 2026.", "2026-03-15"),
        ("Supported until February 2028.", "2028-02-29"),
        ("Supported through 2026-12.", "2026-12-31"),
    ],
)
def test_the_day_an_entry_ends_on_is_read(text: str, day: str):
    """In the ways days are written; a month ends with its last day."""
    assert ends(text) == [date.fromisoformat(day)]


def test_an_entry_alone_can_lapse():
    """It need not look like another one to be over."""
    assert pruned("- Deploys are frozen until 2026-03-15.\n- Bread is baked on Mondays.\n") == ["retire"]
    assert pruned("- Deploys are frozen until May 2026.\n") == []
    assert ends("(until 2026-03-06: Wait 10 s)") == []
    assert ends("until 2026-13-40") == []
