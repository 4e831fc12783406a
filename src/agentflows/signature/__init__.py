"""What texts, commands and errors look like once their accidents are taken away.

Pure functions, shared by the archive (which counts), the gates (which check) and the rules (which judge),
so that all three mean the same by "the same error", "the same command" and "a whole sentence".
"""

from agentflows.signature.command import command_head, commands, is_shell, shell_command
from agentflows.signature.failure import error_line, error_signature, exit_code, failing_step
from agentflows.signature.wording import hedges, negations, sentences, specifics, tokens

SIGNATURE_VERSION = 2
"""Goes up whenever a signature or a command head would come out differently: counts made with another
version cannot be compared."""

__all__ = [
    "SIGNATURE_VERSION",
    "command_head",
    "commands",
    "error_line",
    "error_signature",
    "exit_code",
    "failing_step",
    "hedges",
    "is_shell",
    "negations",
    "sentences",
    "shell_command",
    "specifics",
    "tokens",
]
