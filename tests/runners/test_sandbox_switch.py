"""`AGENTFLOWS_SANDBOX` decides for agents whose file does not."""

from pathlib import Path

import pytest

from agentflows.agent import AgentDefinition, Job
from agentflows.change import Budget
from agentflows.home import open_home
from agentflows.testing import FakeMessagesAPI, Reply
from tests.runners.conftest import MODEL, writer


def _place(
    tmp_path: Path, fake: FakeMessagesAPI, agent: AgentDefinition, job: Job, switch: str
) -> tuple[str, str]:
    """Where the agent's shell says it works, and what the record of the run says about walls."""
    fake.queue(Reply.tool_use("bash", {"command": "pwd > where"}), Reply.text("Done."))
    with open_home(
        tmp_path / "home",
        ANTHROPIC_BASE_URL=fake.url,
        ANTHROPIC_API_KEY=fake.api_key,
        model=MODEL,
        sandbox=switch,
    ) as home:
        done = home.runner(agent, home.purse("test", Budget())).run(agent, job)
    return (job.workspace / "where").read_text().strip(), str(done.session.meta["sandbox"])


def test_off_is_off_for_an_agent_that_does_not_say(tmp_path: Path, fake: FakeMessagesAPI, job: Job):
    """The way out that a refusal names works, and the record shows that it was taken."""
    assert _place(tmp_path, fake, writer(tools=("bash",)), job, "off") == (str(job.workspace), "off")


@pytest.mark.usefixtures("sandbox_here")
@pytest.mark.parametrize(("own", "switch"), [("default", "required"), ("required", "off")])
def test_walls_stand_where_one_of_both_wants_them(
    tmp_path: Path, fake: FakeMessagesAPI, job: Job, own: str, switch: str
):
    """An agent that demands walls has them, whatever the machine's setting says."""
    agent = writer(tools=("bash",), sandbox=own)
    assert _place(tmp_path, fake, agent, job, switch) == ("/workspace", "required")
