"""A host to break out to, and a sandbox to break out of."""

import os
import platform
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentflows.sandbox import Sandbox
from tests.sandbox.shared_memory import shared_memory


@dataclass(frozen=True)
class Host:
    """What a command could reach if the walls had holes."""

    workspace: Path
    outside: Path
    bystander: int
    """The number of a process of ours that must live on."""
    variables: Mapping[str, str]

    def sandbox(self, **options: Any) -> Sandbox:
        """A sandbox over the workspace, with a Python to run probes in."""
        variables = {**self.variables, "PY": "/py/bin/python3"}
        mounts = {"/py": Path(sys.base_prefix), **options.pop("extra_read_only", {})}
        return Sandbox(self.workspace, env=variables, extra_read_only=mounts, **options)

    def without_walls(self) -> Sandbox:
        """The same commands, with nothing around them."""
        return Sandbox(self.workspace, env={**self.variables, "PY": sys.executable}, mode="off")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A secret file, a bystander with a secret environment, open sockets and shared memory."""
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    workspace.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("canary-of-the-host")
    (workspace / "planted-link").symlink_to(outside / "secret")
    (workspace / "planted-folder").symlink_to(outside)
    shared = Path("/dev/shm") / f"agentflows-test-{uuid.uuid4().hex}"
    shared.write_text("canary-of-the-host")
    bystander = subprocess.Popen(
        ["/bin/bash", "-c", "sleep 300; true", "agentflows-bystander"],
        env={"CANARY": "canary-of-the-host"},
        start_new_session=True,
    )
    abstract = f"agentflows-{uuid.uuid4().hex}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + abstract)
        unix.listen()
        variables = {
            "SECRET": str(outside / "secret"),
            "OUTSIDE": str(outside),
            "HOST_PID": str(bystander.pid),
            "PORT": str(server.getsockname()[1]),
            "ABSTRACT": abstract,
            "SHM_FILE": str(shared),
            "HOST_NAME": platform.node(),
        }
        with shared_memory() as key:
            yield Host(workspace, outside, bystander.pid, {**variables, "SHM_KEY": str(key)})
    shared.unlink()
    os.killpg(bystander.pid, 9)
    bystander.wait()
