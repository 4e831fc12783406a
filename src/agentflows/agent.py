"""Agents: a definition of one, what it is given to do, and what it leaves behind.

A `Runner` runs one agent on one job. All runners give the same `Transcript`, which is a `Session` like any other:
it goes into the archive, and dreams learn from it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agentflows.evaluation import RunEnd
from agentflows.session import Session, Usage

RunnerName = Literal["messages", "command", "python"]
"""What runs an agent: the SDK's tool loop, any command-line agent, or a Python callable."""


SandboxChoice = Literal["default", "required", "off"]
"""Whether what the agent starts runs inside walls. `default` is `required` for the shell of a `messages` agent, and
`off` for `command` and `python` agents, which are programs the user chose. It stands in the record of every run."""


class McpServer(BaseModel):
    """A Model Context Protocol server the agent may use: a command (stdio) or a URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    """Of the command. `${NAME}` in a value, a word or the URL is a variable of this process."""
    headers: dict[str, str] = {}
    """Of requests to the URL; `${NAME}` as above."""


class AgentLimits(BaseModel):
    """What one run of the agent may take. What is None is not limited here; the job's purse still is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_turns: int = Field(default=50, ge=1, le=1000)
    """Model replies. A run that hits it ends as `cap_reached`, never as finished."""
    max_seconds: float = Field(default=1800, gt=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_dollars: float | None = Field(default=None, gt=0)
    max_repeats: int = Field(default=3, ge=1)
    """The same tool with the same arguments so often in a row ends the run as `cap_reached`."""
    max_context_tokens: int | None = Field(default=None, ge=1)
    """Input of one request, for servers that cut a longer one silently. A run that needs more ends as `truncated`."""


class AgentDefinition(BaseModel):
    """An agent: model, prompt, tools, limits. Its file has the format of a Claude Code sub-agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    """When to use it: what a lead reads."""
    prompt: str
    """The system prompt: the body of the file."""
    model: str = ""
    """"" is the model of the settings."""
    tools: tuple[str, ...] = ("read", "write", "edit", "glob", "grep", "bash")
    mcp_servers: tuple[McpServer, ...] = ()
    runner: RunnerName = "messages"
    command: tuple[str, ...] = ()
    """The `command` runner's words: `{task}`, `{session}` and `{model}` in them are filled in."""
    function: str = ""
    """The `python` runner's `module:function`."""
    memory: str = ""
    """The memory store mounted read-only; "" is none."""
    network: bool = False
    """Whether its shell may reach the network."""
    sandbox: SandboxChoice = "default"
    env: tuple[str, ...] = ()
    """Variables of this process that a `command` or `python` agent may see, by name, beside the harmless ones."""
    limits: AgentLimits = AgentLimits()
    source: str = ""
    """The file it came from."""
    sha256: str = ""
    """Of everything above that decides what it does."""


class Job(BaseModel):
    """What one run of an agent is given."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    job_id: str
    """Stable over re-runs: `outc_…/attempt/0`. The transcript's session id is made of it."""
    task: str
    """What to do, as the user message."""
    feedback: str = ""
    """On a revision: what the grader found. The agent goes on in its own context when `state` is given."""
    workspace: Path
    memory: Mapping[str, str] = {}
    """Memory path → Markdown, shown read-only: quoted data with its date, never part of the system prompt."""
    state: str = ""
    """What the runner handed out as `Transcript.state` or saved by `keep` earlier, to go on from there."""
    project: str = ""
    """What the work is about, for the archive; "" is the workspace's path."""
    parent_id: str = ""
    """The session this run counts with as one, such as the first attempt for a revision."""


class Transcript(BaseModel):
    """What a run of an agent leaves behind."""

    model_config = ConfigDict(frozen=True)

    session: Session
    end: RunEnd
    detail: str = ""
    text: str = ""
    """The agent's last words."""
    usage: Usage = Usage()
    dollars: float = 0
    tool_calls: int = 0
    tool_errors: int = 0
    state: str = ""
    """Opaque, for the next `Job` of the same agent: its own context."""
    raw: tuple[str, ...] = ()
    """The native lines (JSON each) the archive keeps, where the runner has some."""


Show = Callable[[Callable[[], Sequence[str]]], None]
"""Told now and then, while a run goes on, how to get its lines so far; it decides by itself when to look."""


class Runner(Protocol):
    """Runs one agent."""

    def run(
        self,
        agent: AgentDefinition,
        job: Job,
        *,
        keep: Callable[[str], None] | None = None,
        stop: Callable[[], str] | None = None,
    ) -> Transcript:
        """Run the agent on the job to its end.

        Args:
            agent: who.
            job: what.
            keep: called with the runner's state after every model reply and its tool results, so that a killed run
                goes on from there without paying for a reply twice. A runner that cannot go on mid-way never calls it.
            stop: asked between turns; a text is the reason to end now, as `interrupted`.

        Raises:
            BudgetError: not even the first call is affordable.
            EndpointError: the model could not be reached at all. What the agent itself does wrong is in `end`.
        """
        ...
