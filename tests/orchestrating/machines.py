"""Machines that share a state database, an archive and a staging URL, and no folder: a home each, in one process."""

import itertools
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agentflows.home import Home, open_home
from agentflows.orchestrating import JobRun, begin, carry_out_turn, make_request
from agentflows.team import Orchestration, Plan, Team, ThreadTurn

OtherWork = Callable[[JobRun, ThreadTurn], None]


class Machines:
    """Homes of their own over one state database.

    Args:
        folder: where the homes, the database and the archive lie.
        staging: the URL through which files travel.
        variables: other settings, such as an endpoint.
    """

    def __init__(self, folder: Path, staging: str, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {
            "state_url": f"sqlite:///{folder}/state.db",
            "archive_url": f"file://{folder}/archive",
            "staging_url": staging,
            **variables,
        }

    @contextmanager
    def home(self, name: str) -> Generator[Home]:
        """The home of the machine of that name."""
        with open_home(self.folder / f"home-{name}", **self.settings) as home:
            yield home

    def lead(
        self,
        team: Team | Path,
        plan: Plan | Path | None,
        workspace: Path,
        *,
        task: str = "",
        workers: int = 2,
        work: OtherWork | None = None,
        name: str = "leader",
        **options: Any,
    ) -> Orchestration:
        """Lead a job whose turns are carried out on the workers in turn, or as `work` does it."""
        with ExitStack() as stack:
            home = stack.enter_context(self.home(name))
            others = [stack.enter_context(self.home(str(number))) for number in range(workers)]
            next_one = itertools.cycle(others)

            def elsewhere(run: JobRun, turn: ThreadTurn) -> None:
                carry_out_turn(next(next_one), turn.job_id, turn.thread_id, turn.number)

            request = make_request(
                task, team=team, plan=plan, workspace=workspace, dispatch="deployment", **options
            )
            with begin(home, request) as run:
                return run.go_on(
                    lambda turn: run.perform(turn, lambda one: sent(run, one, work or elsewhere))
                )


def sent(run: JobRun, turn: ThreadTurn, work: OtherWork) -> ThreadTurn:
    """What the flow does around a flow run: offer, have it carried out, bring it home."""
    run.offer(turn)
    ended = run.brought_home(turn)
    if ended is None:
        work(run, turn)
        ended = run.brought_home(turn)
    return ended or turn
