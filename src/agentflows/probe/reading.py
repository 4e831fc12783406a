"""Probes from Markdown files with front matter, read strictly: what is not understood is an error, never left out."""

import re
from difflib import get_close_matches
from pathlib import Path

from agentflows.agent import AgentDefinition
from agentflows.agent_file import read_agent
from agentflows.agent_file.front import FrontMatterError, split
from agentflows.agent_file.sheet import Sheet
from agentflows.errors import AgentflowsError, NotFoundError, ProbeError, RubricError
from agentflows.probe.content import TooLargeError, content_sha256
from agentflows.probe.words import MAX_REPEATS, Probe
from agentflows.rubric import Rubric, parse_rubric, read_rubric

_KEYS = ("name", "agent", "rubric", "workspace", "repeats", "deliverables")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NO_PROBE = "README.md"


def read_probes(folder: Path | str) -> tuple[Probe, ...]:
    """The probes of a folder: its `*.md` files but for a README, sorted by name. Folders in it are the probes' own.

    Raises:
        NotFoundError: there is no such folder.
        ProbeError: it holds no probe, two have one name, or one cannot be run as written; the message has every fault.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        msg = f"There is no folder of probes {place}. Name one that holds Markdown files with front matter."
        raise NotFoundError(msg)
    found: list[Probe] = []
    faults: list[str] = []
    for file in sorted(path for path in place.glob("*.md") if path.name != _NO_PROBE):
        try:
            found.append(read_probe(file))
        except ProbeError as error:
            faults.append(str(error))
    names: dict[str, str] = {}
    for probe in found:
        if probe.name in names:
            faults.append(
                f"{probe.source}:1: name: {probe.name!r} is the name of {names[probe.name]} too. Rename one."
            )
        names[probe.name] = probe.source
    if not found and not faults:
        faults.append(
            f"{place} holds no probe. Put Markdown files with front matter in it; see examples/probes."
        )
    if faults:
        raise ProbeError(" ".join(faults))
    return tuple(sorted(found, key=lambda probe: probe.name))


def read_probe(file: Path | str) -> Probe:
    """The probe a file describes.

    Raises:
        ProbeError: it cannot be read, or something in it cannot be; the message has file, line and fix.
    """
    path = Path(file).expanduser()
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Name a Markdown file with front matter."
        raise ProbeError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8."
        raise ProbeError(msg) from error
    return parse_probe(text, source=str(path))


def parse_probe(text: str, *, source: str) -> Probe:
    """The probe a text describes; `source` is what faults call it, and where its neighbours are looked for.

    Raises:
        ProbeError: something in it cannot be; the message lists every fault.
    """
    try:
        front = split(text)
    except FrontMatterError as error:
        msg = f"{source}:{error.line}: {error}."
        raise ProbeError(msg) from error
    reading = _Reading(Sheet(front, source), Path(source).resolve().parent)
    probe = reading.probe()
    if probe is None:
        raise ProbeError(" ".join(reading.faults))
    return probe


class _Reading:
    """One probe as far as it was read."""

    def __init__(self, sheet: Sheet, beside: Path) -> None:
        self._sheet = sheet
        self._beside = beside

    @property
    def faults(self) -> list[str]:
        return self._sheet.faults

    def probe(self) -> Probe | None:
        """The probe; None where something in it cannot be."""
        sheet = self._sheet
        self._unknown_keys()
        name, task = self._name(), self._task()
        agent, rubric = self._agent(), self._rubric()
        workspace, repeats = self._workspace(), self._repeats()
        deliverables = sheet.words("deliverables") or ()
        if self.faults or agent is None or rubric is None:
            return None
        try:
            content = content_sha256(task, deliverables, workspace, agent, rubric)
        except (TooLargeError, OSError) as error:
            sheet.fault("workspace", f"it cannot be read: {error}. Name a smaller folder that can be read.")
            return None
        return Probe(
            name=name,
            task=task,
            agent=agent,
            rubric=rubric,
            workspace=workspace,
            deliverables=deliverables,
            repeats=repeats,
            source=sheet.file,
            sha256=content,
        )

    def _unknown_keys(self) -> None:
        for key in self._sheet.front.values:
            if key not in _KEYS:
                near = get_close_matches(key, _KEYS, 1, 0.7)
                hint = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(_KEYS)}."
                self._sheet.fault(key, f"there is no such key. {hint}")

    def _name(self) -> str:
        name = self._sheet.text("name") or Path(self._sheet.file).stem
        if not _NAME.fullmatch(name):
            self._sheet.fault(
                "name", f"expected letters, digits and hyphens, found {name!r}. Write `invoice-total`."
            )
        return name

    def _task(self) -> str:
        task = self._sheet.front.body.strip()
        if not task:
            self._sheet.fault("task", "there is none. Write what is to be done below the second line of ---.")
        return task

    def _agent(self) -> AgentDefinition | None:
        named = self._needed("agent", "agent: ../agents/clerk.md")
        if not named:
            return None
        try:
            return read_agent(self._beside / Path(named).expanduser())
        except AgentflowsError as error:
            self._sheet.fault("agent", str(error))
            return None

    def _rubric(self) -> Rubric | None:
        said = self._needed("rubric", "rubric: invoice.rubric.md")
        if not said:
            return None
        is_inline = "\n" in said or said.startswith(("-", "#"))
        try:
            # An inline rubric's own checks are looked for beside the probe, which is why it is its source.
            rubric = (
                parse_rubric(said, source=self._sheet.file)
                if is_inline
                else read_rubric(self._beside / Path(said).expanduser())
            )
        except RubricError as error:
            self._sheet.fault("rubric", f"line {error.line} of it: {error}" if is_inline else str(error))
            return None
        except (NotFoundError, OSError) as error:
            self._sheet.fault(
                "rubric", f"{error} A rubric within the probe stands below `rubric: |`, indented."
            )
            return None
        return self._without_people(rubric)

    def _without_people(self, rubric: Rubric) -> Rubric:
        for criterion in rubric.criteria:
            if criterion.judging == "human":
                self._sheet.fault(
                    "rubric",
                    f"the criterion {criterion.criterion_id!r} asks a person, and a probe is run while nobody looks. "
                    "Make it a check or a question for a judge.",
                )
        return rubric

    def _workspace(self) -> Path | None:
        named = self._sheet.text("workspace")
        if not named:
            return None
        folder = (self._beside / Path(named).expanduser()).resolve()
        if not folder.is_dir():
            self._sheet.fault("workspace", f"there is no folder {folder}. Make it, or leave the key out.")
        return folder

    def _repeats(self) -> int:
        value = self._sheet.front.values.get("repeats", 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_REPEATS:
            self._sheet.fault("repeats", f"expected a number from 1 to {MAX_REPEATS}, found {value!r}.")
            return 1
        return value

    def _needed(self, key: str, example: str) -> str:
        found = self._sheet.text(key)
        if not found and not any(f": {key}: " in fault for fault in self.faults):
            self._sheet.fault(key, f"there is none. Add a line such as `{example}`.")
        return found
