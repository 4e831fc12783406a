"""Pages: the pictures of a dream as Markdown for its run's page."""

from agentflows.change import Dream
from agentflows.home import Home
from agentflows.pictures import Shown, markdown_image
from agentflows.picturing.collecting import picture_cost, picture_coverage, picture_recurring


def dream_markdown(home: Home, dream: Dream) -> str:
    """What recurs in the sessions a dream was asked to read, what dreams over its store read, and what they, outcomes and jobs cost.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    store = dream.store_name
    spending = picture_cost(home, store)
    shown: list[Shown] = [
        picture_recurring(home, store=store, session_ids=dream.session_ids),
        picture_coverage(home, store),
        *([spending] if any(one.tokens or one.dollars for one in spending.spent) else []),
    ]
    return "\n\n".join(["# Pictures", *map(markdown_image, shown), ""])
