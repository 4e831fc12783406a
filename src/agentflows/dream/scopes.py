"""Scopes: which project a lesson holds for, and when its name must be said.

What one project taught says nothing of another. A store that serves one project need not repeat its name;
a dream that reads several writes it down with every lesson.
"""

import re
from collections.abc import Collection, Iterable

from agentflows.change import Pattern
from agentflows.session import Session

_WORKTREE = re.compile(r"[/\\](?:\.claude[/\\])?\.?worktrees[/\\][^/\\]+(?=[/\\]|\Z).*\Z")
_REPOSITORY_DEPTH = 3
"""Parts of a path below which it is somebody's home, which is no project."""
_SCOPED = re.compile(r"\A\s*(?:(?:[-*+]|\d+[.)])\s+)?In `([^`\n]+)`: ")


def project_of(project: str) -> str:
    """The project a folder belongs to: a work tree inside it is the same project."""
    inside = _WORKTREE.sub("", project)
    return inside if len(_parts(inside)) >= _REPOSITORY_DEPTH else project


def scope_of(session: Session) -> str:
    """The project a session was about; "" when its source does not say."""
    return project_of(session.project)


def in_words(patterns: Iterable[Pattern], projects: Collection[str]) -> list[Pattern]:
    """The patterns with their project as it is to be said: by name where there are several, else not at all.

    `projects` are those of all sessions that were read. A scope that is no project stays as it is.
    """
    known = {project_of(project) for project in projects if project}
    names = {project: name_of(project) if len(known) > 1 else "" for project in known}
    return [
        pattern.model_copy(update={"scope": names.get(pattern.scope, pattern.scope)}) for pattern in patterns
    ]


def name_of(project: str) -> str:
    """A project's name for readers: the last two parts of a folder's path, anything else as it is.

    It depends on nothing but the project, so that the next dream calls it the same.
    """
    return "/".join(_parts(project)[-2:]) or project


def _parts(project: str) -> list[str]:
    return [part for part in re.split(r"[/\\]+", project) if part and not part.endswith(":")]


def said_scope(text: str) -> str:
    """The project an entry says it is about; "" for one that says none."""
    match = _SCOPED.match(text)
    return match.group(1) if match else ""


def without_scope(text: str) -> str:
    """A text without its list marker and the project it says it is about."""
    return re.sub(r"\A\s*(?:[-*+]|\d+[.)]|>)\s+(?:\[[ xX]\]\s+)?", "", text).removeprefix(
        f"In `{said_scope(text)}`: "
    )
