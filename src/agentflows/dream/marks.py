"""Marks: what agentflows itself says inside text that others wrote. They are `agentflows.marks`, which graders use too."""

from agentflows.marks import fence_for, mark, one_line, reveal

__all__ = ["fence_for", "mark", "one_line", "reveal"]
