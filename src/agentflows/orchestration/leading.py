"""A live lead: it runs until it has ended itself and nothing is under way or unread."""

from collections.abc import Callable

from agentflows.agent import Transcript
from agentflows.orchestration.crew import Crew
from agentflows.orchestration.desk import Desk, report

MOST_REMINDERS = 10
"""Turns a lead gets after it ended while reports were still to come or unread."""


def lead(run: Callable[[str], Transcript], crew: Crew) -> Transcript:
    """Run the lead to a real end.

    A lead that ends while threads run is not finished: its reports are waited for and given to it as its next turn.
    A lead that failed is not asked again; what its threads still do is waited for and kept.

    Args:
        run: one turn of the lead; takes what it is told next, "" at first, and gives the transcript so far.
        crew: its specialists.
    """
    crew.resume()
    desk = Desk(crew)
    transcript = run("")
    for number in range(MOST_REMINDERS):
        if transcript.end != "finished" or crew.stopped or (crew.is_idle and not crew.has_news):
            break
        reports = crew.reports(f"reminder-{number}")
        if not reports:
            break
        told = "\n\n".join(map(report, reports))
        transcript = run(
            f"You ended your turn, and these reports came in since.\n\n{told}\n\n{desk.overview()}"
        )
    crew.settle()
    return transcript
