"""No command gets out: the figure SANDBOX_ESCAPES."""

import pytest

from agentflows.sandbox import Limits
from tests.sandbox.conftest import Host
from tests.sandbox.probes import FILES, NETWORK, PROBES, PROCESSES, Probe

pytestmark = pytest.mark.usefixtures("sandbox_here")
_SECONDS = Limits(seconds=20)


def _escapes(host: Host, probes: list[Probe], **options: bool) -> dict[str, str]:
    """The probes that got out, with what they said."""
    box = host.sandbox(limits=_SECONDS, **options)
    runs = {probe.name: box.run(probe.script) for probe in probes}
    assert all(run.sandboxed and run.reason == "exited" for run in runs.values()), runs
    return {name: run.output for name, run in runs.items() if "ESCAPED" in run.output}


def test_no_probe_gets_out(host: Host, capsys: pytest.CaptureFixture[str]):
    """Files, kernel, processes and network of the host are out of reach."""
    escaped = _escapes(host, PROBES)
    with capsys.disabled():
        print(f"\nSANDBOX_ESCAPES tried={len(PROBES)} bad={len(escaped)}")  # noqa: T201 - the figure
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 30
    assert escaped == {}
    assert not (host.outside / "written").exists()


def test_the_probes_would_have_found_a_hole(host: Host):
    """The same scripts without walls get out, so their silence above means something."""
    box = host.without_walls()
    controls = [probe for probe in PROBES if probe.control]
    silent = [probe.name for probe in controls if "ESCAPED" not in box.run(probe.script).output]
    assert len(controls) >= 20
    assert silent == []


def test_with_a_network_all_else_stays_closed(host: Host):
    """Who allows the network allows the network only."""
    box = host.sandbox(network=True)
    (port,) = [probe for probe in NETWORK if probe.name == "a port of the host"]
    assert "ESCAPED" in box.run(port.script).output
    kept = ("raw packets", "link-layer packets", "the host of a virtual machine")
    closed = [*FILES, *PROCESSES, *(probe for probe in NETWORK if probe.name in kept)]
    assert _escapes(host, closed, network=True) == {}


def test_what_is_mounted_read_only_cannot_be_written(host: Host):
    """A grader's workspace and an agent's memory."""
    (host.outside / "note.md").write_text("kept")
    box = host.sandbox(read_only=True, extra_read_only={"/memory": host.outside})
    script = "cat /memory/note.md; for f in new /workspace/new /memory/new /memory/note.md; do (echo x > $f) 2>/dev/null && echo ESCAPED; done; chmod 777 /memory 2>/dev/null && echo ESCAPED; true"
    assert box.run(script).output == "kept"
    assert (host.outside / "note.md").read_text() == "kept"
