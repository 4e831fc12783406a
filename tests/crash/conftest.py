"""Seeded homes, made once, and a fake model in a process of its own that writes down what it is asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.conftest import ROOT
from tests.crash import scenes
from tests.crash.answers import ASKED


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the example project and no dream yet. Copy it."""
    return scenes.fill(tmp_path_factory.mktemp("crash") / "home")


@pytest.fixture
def folder(seeded: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    return scenes.copy(seeded, tmp_path / "home")


@dataclass(frozen=True)
class Endpoint:
    """A fake model in another process."""

    url: str
    log: Path

    @property
    def asked(self) -> list[str]:
        """Every question since the last `forget`: a field of the answer wanted, and a hash."""
        return self.log.read_text("ascii").split()

    def forget(self) -> None:
        self.log.write_text("", "ascii")

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": "fake-key"}


@pytest.fixture(scope="session")
def _endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:  # pyright: ignore[reportUnusedFunction]
    log = tmp_path_factory.mktemp("endpoint") / "asked"
    log.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "agentflows.testing.fake", "--script", "tests.crash.answers:answer"],
        cwd=ROOT,
        env={**os.environ, ASKED: str(log), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    yield Endpoint(process.stdout.readline().strip(), log)
    process.terminate()
    assert process.wait(30) == 0, "the fake's script was at fault, see above"
    process.stdout.close()


@pytest.fixture
def endpoint(_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """The fake model, also for this process."""
    for name, value in _endpoint.variables.items():
        monkeypatch.setenv(name, value)
    _endpoint.forget()
    return _endpoint


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many random kills the long form makes: `--kills`."""
    return cast("int", request.config.getoption("--kills"))
