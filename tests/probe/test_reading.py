"""Probes are read strictly: every fault says file, line and what to write, and nothing is left out in silence."""

from pathlib import Path

import pytest

from agentflows.errors import NotFoundError, ProbeError
from agentflows.probe import Probe, read_probe, read_probes
from tests.conftest import EXAMPLES

AGENT = "---\nname: clerk\nrunner: python\nfunction: clerk:work\n---\nDo it.\n"
HEAD = "name: total\nagent: clerk.md\nrubric: rubric.md\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what probes name, and no probe yet."""
    place = tmp_path / "probes"
    (place / "start").mkdir(parents=True)
    (place / "start" / "orders.csv").write_text("1\n")
    # Below the folder, so that it is not taken for a probe itself.
    (place / "parts").mkdir()
    (place / "parts" / "clerk.md").write_text(AGENT)
    (place / "parts" / "clerk.py").write_text("def work(*_): ...\n")
    (place / "parts" / "rubric.md").write_text("- **there**: There.\n  check: exists total.txt\n")
    return place


def write(folder: Path, head: str = HEAD, body: str = "Add it up.", *, name: str = "total.md") -> Path:
    head = head.replace("agent: clerk", "agent: parts/clerk").replace(
        "rubric: rubric", "rubric: parts/rubric"
    )
    file = folder / name
    file.write_text(f"---\n{head}---\n{body}\n")
    return file


def test_a_probe_says_all_that_a_run_needs(folder: Path):
    """With what is left out as documented."""
    probe = read_probe(write(folder, f"{HEAD}workspace: start\nrepeats: 3\ndeliverables: '*.txt'\n"))
    assert (probe.name, probe.task, probe.agent.name, probe.repeats) == ("total", "Add it up.", "clerk", 3)
    assert (probe.workspace, probe.deliverables) == ((folder / "start").resolve(), ("*.txt",))
    assert [one.criterion_id for one in probe.rubric.criteria] == ["there"]
    bare = read_probe(write(folder, HEAD.replace("name: total\n", ""), name="bare.md"))
    assert (bare.name, bare.workspace, bare.deliverables, bare.repeats) == ("bare", None, (), 1)


def test_a_rubric_may_stand_in_the_probe_itself(folder: Path):
    """Its checks that are Python are then looked for beside the probe."""
    head = HEAD.replace("rubric: rubric.md", "rubric: |\n  - **there**: There.\n    check: exists total.txt")
    probe = read_probe(write(folder, head))
    assert [one.criterion_id for one in probe.rubric.criteria] == ["there"]
    assert probe.rubric.source == probe.source


FAULTS = {
    "unknown key": (f"{HEAD}repeat: 2\n", "total.md:5: repeat: there is no such key. Did you mean repeats?"),
    "no agent": ("rubric: rubric.md\n", "total.md:1: agent: there is none. Add a line such as `agent:"),
    "agent not there": (HEAD.replace("clerk.md", "clerk.txt"), "total.md:3: agent: There is no agent file"),
    "no rubric": ("agent: clerk.md\n", "total.md:1: rubric: there is none."),
    "rubric not there": (HEAD.replace("rubric.md", "none.md"), "total.md:4: rubric: Expected a rubric, found no file"),
    "no criterion": (HEAD.replace("rubric.md", "|\n  # Only a title\n  words"), "total.md:4: rubric: line 0 of it:"),
    "a person": (HEAD.replace("rubric.md", "|\n  - Ada likes it. (human)\n"), "asks a person, and a probe is run while nobody"),
    "no folder": (f"{HEAD}workspace: nowhere\n", "total.md:5: workspace: there is no folder"),
    "no repeat": (f"{HEAD}repeats: 0\n", "total.md:5: repeats: expected a number from 1 to 20, found 0."),
    "not a number": (f"{HEAD}repeats: true\n", "total.md:5: repeats: expected a number from 1 to 20, found True."),
    "a list for a name": (HEAD.replace("total", "[a]"), "total.md:2: name: expected a text, found a list."),
    "odd name": (HEAD.replace("total", "a b"), "total.md:2: name: expected letters, digits and hyphens"),
    "twice": (f"{HEAD}name: again\n", "total.md:5: name stands twice."),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_has_its_file_its_line_and_what_to_write(folder: Path, kind: str):
    """One error for all of them, so that one correction mends the file."""
    head, expected = FAULTS[kind]
    with pytest.raises(ProbeError) as raised:
        read_probe(write(folder, head))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_probe_without_a_task_or_front_matter_is_none(folder: Path):
    """A README that is called otherwise is found out."""
    with pytest.raises(ProbeError, match="task: there is none"):
        read_probe(write(folder, body=""))
    (folder / "notes.md").write_text("Just notes.\n")
    with pytest.raises(ProbeError, match=r"notes\.md:1: expected front matter"):
        read_probe(folder / "notes.md")


def test_all_files_with_faults_are_told_at_once(folder: Path):
    """And a README is no probe."""
    write(folder, f"{HEAD}repeats: 0\n", name="a.md")
    write(folder, f"{HEAD}workspace: nowhere\n", name="b.md")
    (folder / "README.md").write_text("What these are for.\n")
    with pytest.raises(ProbeError) as raised:
        read_probes(folder)
    assert "a.md:5" in str(raised.value)
    assert "b.md:5" in str(raised.value)
    assert "README" not in str(raised.value)


def test_two_probes_of_one_name_and_a_folder_of_none_are_refused(folder: Path):
    """A verdict must say which probe it is of; and a gate without probes would be none."""
    with pytest.raises(ProbeError, match="holds no probe"):
        read_probes(folder)
    write(folder, name="a.md")
    write(folder, name="b.md")
    with pytest.raises(ProbeError, match=r"is the name of .*a\.md too"):
        read_probes(folder)
    with pytest.raises(NotFoundError, match="There is no folder of probes"):
        read_probes(folder / "nowhere")


def test_whatever_decides_a_run_decides_its_identity(folder: Path):
    """What was found out about one probe must not be taken for another: task, files, code; not where they lie."""
    head = f"{HEAD}workspace: start\n"

    def read() -> Probe:
        return read_probe(write(folder, head))

    seen = {read().sha256}
    assert {read_probe(write(folder, f"{head}repeats: 2\n")).sha256} == seen
    seen.add(read_probe(write(folder, head, "Add it up again.")).sha256)
    seen.add(read_probe(write(folder, f"{head}deliverables: a\n")).sha256)
    for path, text in (
        ("start/orders.csv", "2\n"),
        ("start/more.csv", ""),
        ("parts/clerk.py", "work = print\n"),
    ):
        (folder / path).write_text(text)
        seen.add(read().sha256)
    (folder / "start" / "more.csv").chmod(0o755)
    seen.add(read().sha256)
    (folder / "start" / "link").symlink_to("orders.csv")
    seen.add(read().sha256)
    assert len(seen) == 8


def test_the_examples_can_be_read():
    """They are what a user begins with."""
    assert [probe.name for probe in read_probes(EXAMPLES / "probes")] == ["depot-times", "invoice-total"]
