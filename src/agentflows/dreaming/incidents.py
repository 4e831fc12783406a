"""Incidents: a dream that met a canary says so first, and repeats it nowhere."""

from agentflows.change import DreamReport
from agentflows.redaction.canaries import Canaries

_STOPPED = "holds a canary"
"""What every message says of a question that was not put."""


def without_canaries(report: DreamReport, canaries: Canaries) -> DreamReport:
    """The report with every canary masked, and a note at its head where any change, question or text held one."""
    if not canaries:
        return report
    text = report.model_dump_json()
    if canaries.number_in(text):
        report = DreamReport.model_validate_json(canaries.masked(text))
    unread = sum(_STOPPED in failure for failure in report.coverage.failures)
    stopped = report.refused.get("canary", 0)
    met = unread or stopped or canaries.number_in(text)
    return report.model_copy(update={"notes": (_note(unread, stopped), *report.notes)}) if met else report


def _note(unread: int, stopped: int) -> str:
    parts = [f"{unread:,} sessions were not read"] if unread else []
    parts += [f"{stopped:,} changes or questions were stopped"] if stopped else []
    what = " and ".join(parts) or "it stood in this report and was masked"
    return f"INCIDENT: a canary was met: {what}. Nothing that held it was written to a memory or sent to a model."
