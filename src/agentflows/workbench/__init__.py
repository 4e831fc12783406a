"""The workbench: help with writing a rubric. Draft one, lint it, prove that it can fail, measure it against people.

lint(rubric)                      what is wrong with it as written, and what to write instead; no model
draft(task, good, bad, …)         a rubric from a task and example artifacts
prove(rubric, folder, grade=…)    break a good artifact in many ways; see which criteria notice
agree(rubric, labels, verdicts)   how far a grader agrees with people, with intervals
"""

from agentflows.workbench.agreement import MINIMUM, Agreement, CriterionAgreement, Measure, agree
from agentflows.workbench.asking import Ask, ask_lint
from agentflows.workbench.contrast import Decide
from agentflows.workbench.drafting import Draft, draft
from agentflows.workbench.finding import RULES, SEVERITIES, Finding, Rule, Severity
from agentflows.workbench.labels import Label, parse_labels, read_labels
from agentflows.workbench.lint import lint
from agentflows.workbench.mutations import (
    KINDS,
    Mutation,
    MutationKind,
    artifact_files,
    files_in,
    mutations_of,
)
from agentflows.workbench.planting import plants
from agentflows.workbench.proving import CriterionProof, Proof, ProofStatus, Tried, prove

__all__ = [
    "KINDS",
    "MINIMUM",
    "RULES",
    "SEVERITIES",
    "Agreement",
    "Ask",
    "CriterionAgreement",
    "CriterionProof",
    "Decide",
    "Draft",
    "Finding",
    "Label",
    "Measure",
    "Mutation",
    "MutationKind",
    "Proof",
    "ProofStatus",
    "Rule",
    "Severity",
    "Tried",
    "agree",
    "artifact_files",
    "ask_lint",
    "draft",
    "files_in",
    "lint",
    "mutations_of",
    "parse_labels",
    "plants",
    "prove",
    "read_labels",
]
