"""A live lead: it runs until it has ended itself and nothing is under way or unread."""

from collections.abc import Callable, Sequence

from agentflows.agent import Transcript
from agentflows.orchestration.crew import Crew
from agentflows.orchestration.desk import Desk, report
from agentflows.team import ThreadTurn

PATIENT = 3
"""Turns a lead gets for reports as they come in; after that it gets those of all its threads together."""
MOST_TURNS = 100
"""Turns a lead gets in all for ending too early, each with work it had sent anew."""


def lead(run: Callable[[str], Transcript], crew: Crew) -> Transcript:
    """Run the lead to a real end.

    A lead that ends while threads run is not finished: its reports are waited for and given to it as its next turn.
    A lead that failed is not asked again; what its threads still do is waited for and kept. A process that comes
    after one that died gives it the same reports in the same turns.

    Args:
        run: one turn of the lead; takes what it is told next, "" at first, and gives the transcript so far.
        crew: its specialists.
    """
    crew.resume()
    transcript = run("")
    for number in range(MOST_TURNS):
        if transcript.end != "finished" or crew.stopped:
            break
        if number >= PATIENT:
            crew.settle()
        reports = crew.reports(f"reminder-{number}")
        if not reports or crew.stopped:
            break
        transcript = run(_news(reports, Desk(crew).overview()))
    else:
        why = f"it ended its turn {MOST_TURNS} times while its threads were at work"
        transcript = transcript.model_copy(update={"end": "cap_reached", "detail": why})
    crew.settle()
    return transcript


def _news(reports: Sequence[ThreadTurn], overview: str) -> str:
    told = "\n\n".join(map(report, reports))
    return f"You ended your turn, and these reports came in since.\n\n{told}\n\n{overview}"
