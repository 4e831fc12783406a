"""The workbench: help with writing a rubric. Draft one, lint it, prove that it can fail, measure it against people.

lint(rubric)                      what is wrong with it as written, and what to write instead; no model
draft(task, good, bad, …)         a rubric from a task and example artifacts
prove(rubric, folder, grade=…)    break a good artifact in many ways; see which criteria notice
agree(rubric, labels, verdicts)   how far a grader agrees with people, with intervals
"""

from agentflows.workbench.finding import RULES, SEVERITIES, Finding, Rule, Severity
from agentflows.workbench.lint import lint

__all__ = ["RULES", "SEVERITIES", "Finding", "Rule", "Severity", "lint"]
