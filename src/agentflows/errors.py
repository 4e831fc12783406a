"""What can go wrong, as one tree. Every message says what was expected, what was found and what to do.

* AgentflowsError            exit code 1 on the command line
  x UsageError               the caller asked for something that cannot be (exit code 2)
    + NotFoundError          a store, dream, memory, session or file of that name does not exist
  x SettingsError            a setting is missing or has an impossible value (exit code 2)
  x ReaderError              a source of sessions cannot be read at all (single bad lines are quarantined instead)
  x ArchiveError             the archive cannot be read or written
    + QueryError             a SQL query was refused or failed
  x StoreError               the state database cannot be read or written
    + ConflictError          something changed since it was read; nothing was written
    + LimitError             a hosted limit would be broken; nothing was written
    + CorruptionError        stored content does not match its sha256
    + NotApprovedError       a commit had no valid approval; nothing was written
  x DreamError               a dream cannot start or go on
  x RubricError              a rubric cannot be graded as written (exit code 2)
  x OutcomeError             an outcome cannot start or go on
  x PlanError                a plan or a team cannot be carried out as written (exit code 2)
    + UnaffordableError      its caps certainly do not allow it; it is a BudgetError too
  x OrchestrationError       a job of a team cannot start or go on
  x StoppedError             somebody asked for the end of work that was under way
  x HinderedError            archive, database or endpoint kept a turn on another machine from its end
  x StagingError             a content cannot be handed over between machines, or is missing or damaged there
  x AgentFileError           an agent file cannot be used as written (exit code 2)
  x ProbeError               a probe cannot be run as written (exit code 2)
  x BudgetError              the next step would cost more than is left
  x ModelError               a model call failed for good
    + EndpointError          the endpoint cannot be reached or refused the request
    + ModelOutputError       the reply is not what was asked for (refused, truncated, malformed)
      - CanaryError          the question holds a planted string, so it was not put
      - RefusedQuestionError the endpoint refuses the question itself; others may be answered
  x DeferredError            an answer is to come in a batch (whoever gathers questions catches it)
  x ServerError              the Prefect server cannot be reached
  x PromptError              a prompt was rendered with the wrong fields
  x SandboxError             commands need a sandbox and there is none, or it could not be built; nothing was run
  x WorkspaceError           a file of a workspace cannot be read or written as asked
    + StaleError             it changed since it was read; nothing was written
"""

from collections.abc import Callable


class AgentflowsError(Exception):
    """Base of every error agentflows raises on purpose."""

    exit_code = 1


PassesOn = Callable[[AgentflowsError], bool]
"""Whether whoever delegated a piece of work takes an error of it, and has it gone on with later; else it is its end."""


class UsageError(AgentflowsError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class NotFoundError(UsageError):
    """A store, dream, memory, session or file of that name does not exist."""


class SettingsError(AgentflowsError):
    """A setting is missing or has an impossible value."""

    exit_code = 2


class ReaderError(AgentflowsError):
    """A source of sessions cannot be read at all."""


class ArchiveError(AgentflowsError):
    """The archive cannot be read or written."""


class QueryError(ArchiveError):
    """A SQL query was refused or failed."""


class StoreError(AgentflowsError):
    """The state database cannot be read or written."""


class ConflictError(StoreError):
    """Something changed since it was read; nothing was written."""


class LimitError(StoreError):
    """A hosted limit would be broken; nothing was written."""


class CorruptionError(StoreError):
    """Stored content does not match its sha256."""


class NotApprovedError(StoreError):
    """A commit had no valid approval; nothing was written."""


class DreamError(AgentflowsError):
    """A dream cannot start or go on."""


class RubricError(AgentflowsError):
    """A rubric cannot be graded as written. The message names file, line, what was expected and what to do."""

    exit_code = 2

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.line = line
        """1-based line of the Markdown; 0 for the rubric as a whole."""


class OutcomeError(AgentflowsError):
    """An outcome cannot start or go on."""


class PlanError(AgentflowsError):
    """A plan or a team cannot be carried out as written."""

    exit_code = 2


class OrchestrationError(AgentflowsError):
    """A job of a team cannot start or go on."""


class StoppedError(AgentflowsError):
    """Somebody asked for the end of work that was under way; nothing came of it."""


class HinderedError(AgentflowsError):
    """Archive, database or endpoint kept a turn on another machine from its end; it goes on once they are well again."""


class StagingError(AgentflowsError):
    """A content cannot be handed over between machines, or is missing or damaged there."""


class AgentFileError(AgentflowsError):
    """An agent file cannot be used as written; every fault comes with file, line and fix."""

    exit_code = 2


class ProbeError(AgentflowsError):
    """A probe cannot be run as written; every fault comes with file, line and fix."""

    exit_code = 2


class BudgetError(AgentflowsError):
    """The next step would cost more than is left."""

    levels: tuple[str, ...] = ()
    """Which levels of a purse have not enough left; () where an agent's own limit is what refused."""


class UnaffordableError(PlanError, BudgetError):
    """The caps of a plan or a team certainly do not allow it; nothing was started."""


class ModelError(AgentflowsError):
    """A model call failed for good. Its attributes are for code to branch on."""

    kind: str = ""
    """Which fault it was: `agentflows.claude` lists them."""
    status: int = 0
    """The HTTP status; 0 when there was no answer."""
    request_id: str = ""
    """What the endpoint calls the request; "" when it did not say."""
    attempts: int = 0
    """HTTP requests made for this one call."""
    tokens: int = 0
    """Tokens charged to the budget for it, unknown outcomes in full."""
    dollars: float = 0.0
    """Dollars charged likewise; 0 for an unpriced model."""


class EndpointError(ModelError):
    """The endpoint cannot be reached or refused the request."""

    is_passing: bool = False
    """Whether the request is not to blame: the same one is answered once the endpoint, or the account, is well again."""
    is_of_question: bool = False
    """Whether the endpoint refuses what was asked, or its length: another question may be answered."""


class ModelOutputError(ModelError):
    """The reply is not what was asked for: refused, truncated or malformed."""


class CanaryError(ModelOutputError):
    """The question holds a planted string that nothing may carry on, so it was not put and nothing was sent.

    Wherever a question can go without a usable reply, it can go without this one.
    """


class RefusedQuestionError(ModelOutputError):
    """The endpoint refuses the question for what it holds or for its length, and will again; others may be answered."""


class DeferredError(AgentflowsError):
    """An answer is not known yet, and its question was written down to be handed in with others."""


class ServerError(AgentflowsError):
    """The Prefect server that records the runs cannot be reached."""


class PromptError(AgentflowsError):
    """A prompt was rendered with the wrong fields."""


class SandboxError(AgentflowsError):
    """Commands need a sandbox and there is none, or it could not be built; nothing was run."""


class WorkspaceError(AgentflowsError):
    """A file of a workspace cannot be read or written as asked. Its message names no path outside the workspace."""


class StaleError(WorkspaceError):
    """The file changed since it was read; nothing was written."""


def kind_of(error: object) -> str:
    """The name of its class: all that a stored result says of an error."""
    return type(error).__name__
