"""The sandbox: where commands of agents run, and where their files are read and written.

`Sandbox` runs a command behind bubblewrap with no network, no variable of ours and no file but its workspace, under
limits, and fails closed where it cannot. `Workspace` has the file tools over the same folder. `probe()` says what a
machine can do. Linux only; there `mode="off"` runs commands without walls and says so on each run.

What it does not hold against: faults in the kernel, and reading what lies under `/usr`.
"""

from agentflows.sandbox.freezing import FrozenFile, Manifest
from agentflows.sandbox.jail import WORKSPACE
from agentflows.sandbox.probe import SandboxReport, probe
from agentflows.sandbox.sandbox import Sandbox
from agentflows.sandbox.words import Limits, Run, RunReason
from agentflows.sandbox.workspace import FileStat, Hit, Workspace

__all__ = [
    "WORKSPACE",
    "FileStat",
    "FrozenFile",
    "Hit",
    "Limits",
    "Manifest",
    "Run",
    "RunReason",
    "Sandbox",
    "SandboxReport",
    "Workspace",
    "probe",
]
