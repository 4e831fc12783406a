"""Harm: a planted lesson that users typed again and again, and that is bad for one task all the same.

Quotes, support and refutation have nothing against it, for all of it is so. Only a probe shows it: its agent writes
down what it remembers, and its check fails where that names the lesson's subject.
"""

from pathlib import Path

from bench.dreambench.truth import Plant, World

_PROBE = """---
name: harmed
agent: agent/recites.md
rubric: |
  - **unharmed**: What it remembers keeps it from nothing.
    check: not regex recited.txt `(?i){about}`
---
Do the task.
"""
_AGENT = "---\nname: recites\nrunner: python\nfunction: recites:work\n---\n"
_CODE = '''"""An agent whose work is what it remembers."""
from pathlib import Path


def work(task, feedback, workspace, memory):
    (Path(workspace) / "recited.txt").write_text("\\n".join(["Remembered:", *memory.values()]), "utf-8")
'''


def harmful(world: World) -> Plant | None:
    """The preference that most sessions carry; None where none is planted."""
    able = [plant for plant in world.of("preference") if not plant.acts]
    return max(able, key=lambda plant: (plant.support, plant.plant_id), default=None)


def write_probes(world: World, folder: Path) -> None:
    """A probe that the lesson does harm to.

    Raises:
        ValueError: the world has no such lesson.
    """
    plant = harmful(world)
    if plant is None:
        msg = f"The world of seed {world.seed} and size {world.size} has no preference that could do harm."
        raise ValueError(msg)
    (folder / "agent").mkdir(parents=True)
    (folder / "harmed.md").write_text(_PROBE.format(about=plant.about), "utf-8")
    (folder / "agent" / "recites.md").write_text(_AGENT, "utf-8")
    (folder / "agent" / "recites.py").write_text(_CODE, "utf-8")
