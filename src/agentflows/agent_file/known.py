"""Names of Claude Code: its tools and ours, its models and their ids, its keys that mean nothing here."""

from collections.abc import Mapping

OURS: Mapping[str, str] = {
    "Read": "read",
    "Write": "write",
    "Edit": "edit",
    "MultiEdit": "edit",
    "Glob": "glob",
    "Grep": "grep",
    "Bash": "bash",
}
"""Its tools that have one of ours for a counterpart."""

NOT_OFFERED = frozenset({
    "Agent", "AskUserQuestion", "BashOutput", "EnterPlanMode", "EnterWorktree", "ExitPlanMode", "ExitWorktree",
    "KillBash", "KillShell", "LS", "LSP", "ListMcpResourcesTool", "Monitor", "NotebookEdit", "NotebookRead",
    "PowerShell", "ReadMcpResourceTool", "SendMessage", "Skill", "SlashCommand", "Task", "TaskCreate", "TaskGet",
    "TaskList", "TaskOutput", "TaskStop", "TaskUpdate", "TodoWrite", "ToolSearch", "WebFetch", "WebSearch",
})  # fmt: skip
"""Its tools that have none: an agent that names one runs without it."""

MODELS: Mapping[str, str] = {
    "sonnet": "claude-sonnet-5-5",
    "opus": "claude-opus-5",
    "haiku": "claude-haiku-4-5",
    "inherit": "",
}
"""Its aliases. Each is the newest model of its line whose price agentflows knows, so that budgets hold."""

MEMORY_SCOPES = frozenset({"user", "project", "local"})
"""Where it keeps an agent's memory; here a memory is a store with a name."""

NO_EFFECT = frozenset({
    "permissionMode", "skills", "hooks", "background", "effort", "isolation", "color", "initialPrompt", "disabled",
    "version",
})  # fmt: skip
"""Its keys that change nothing here."""

KEYS = (
    "name", "description", "tools", "disallowedTools", "model", "mcpServers", "maxTurns", "memory",
    "runner", "command", "function", "limits", "network", "sandbox", "env",
)  # fmt: skip
"""The keys that are read."""
