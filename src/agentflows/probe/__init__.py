r"""Probes: tasks whose success can be checked, kept to try a memory with before it is committed.

    ---
    name: invoice-total
    agent: clerk.md
    rubric: |
      - **whole**: The total is in cents.
        check: regex invoice.json `"total": 749\b`
    workspace: invoice
    repeats: 1
    ---
    Write invoice.json with the total of orders.csv.

The body is the task. Paths are relative to the probe's file. `rubric` is a path, or the Markdown itself; `workspace`
is a folder of which every run gets a fresh copy (none: an empty one); `deliverables` are globs of what is graded.
"""

from agentflows.probe.reading import parse_probe, read_probe, read_probes
from agentflows.probe.words import MAX_REPEATS, Probe

__all__ = ["MAX_REPEATS", "Probe", "parse_probe", "read_probe", "read_probes"]
