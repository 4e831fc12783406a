"""What is wrong with a rubric, and where."""

from typing import NoReturn

from agentflows.errors import RubricError


def refuse(source: str, line: int, problem: str, remedy: str) -> NoReturn:
    """Say in one line which rubric cannot be used, where, why, and what to do.

    Args:
        source: the file; "" when the rubric was given as text.
        line: 1-based; 0 for the rubric as a whole.
        problem: what was expected and what was found, without a full stop.
        remedy: one sentence that tells the author what to do.

    Raises:
        RubricError: always.
    """
    place = source or "The rubric"
    where = f"{place}, line {line}" if line else place
    msg = " ".join(f"{where}: {problem}. {remedy}".split())
    raise RubricError(msg, line=line)
