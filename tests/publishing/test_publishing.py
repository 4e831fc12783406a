"""Publishing: a store's files in the folder that agents mount."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from agentflows.errors import ConflictError, NotFoundError, SettingsError, UsageError
from agentflows.home import Home, open_home
from agentflows.publishing import publish
from agentflows.store import Holder
from agentflows.store.folders import MANIFEST
from tests import command_line

NOTES = {"a.md": "# A\n", "deep/b.md": "# B\n"}


@pytest.fixture
def team(home: Home, tmp_path: Path) -> Home:
    """A home with a store of two files."""
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / name).write_text(text, "utf-8")
    home.state.create_store("team", actor=home.actor("ada"))
    home.state.import_folder("team", tmp_path / "notes", actor=home.actor("ada"))
    return home


def test_only_what_differs_is_written(team: Home, tmp_path: Path):
    """Agents that watch the folder see the files that changed and no others; a second publication touches nothing."""
    place = tmp_path / "mounted"
    assert publish(team, "team", str(place)).written == ("/a.md", "/deep/b.md")
    times = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    again = publish(team, "team", str(place))
    assert (again.written, again.removed) == ((), ())
    assert {path: path.stat().st_mtime_ns for path in times} == times
    (tmp_path / "notes" / "a.md").write_text("# A, mended\n", "utf-8")
    team.state.import_folder("team", tmp_path / "notes", actor=team.actor("ada"))
    done = publish(team, "team", str(place))
    assert (done.written, done.line) == (
        ("/a.md",),
        f"'team' version 2 is in {place}: 1 of 2 files written",
    )


def test_two_stores_do_not_share_a_folder(team: Home, tmp_path: Path):
    """The second would take the first one's files for its own old ones, and remove them."""
    publish(team, "team", str(tmp_path / "mounted"))
    team.state.create_store("other", actor=team.actor("ada"))
    with pytest.raises(ConflictError, match="holds the files of the store 'team', not of 'other'"):
        publish(team, "other", str(tmp_path / "mounted"))
    assert (tmp_path / "mounted" / "a.md").is_file()


def test_a_folder_of_an_older_version_is_known_as_the_stores(team: Home, tmp_path: Path):
    """Its record names no store: the first publication adds that."""
    publish(team, "team", str(tmp_path))
    record = tmp_path / MANIFEST
    record.write_text(json.dumps({"files": json.loads(record.read_text("utf-8"))["files"]}), "utf-8")
    assert publish(team, "team", str(tmp_path)).written == ()
    assert json.loads(record.read_text("utf-8"))["store"] == "team"


def test_two_publications_to_one_folder_take_turns(team: Home, tmp_path: Path):
    """A mix of two versions would be a memory that nobody approved."""
    other = str(Holder.here("grace", "publish"))
    lease = team.state.lease(f"publish:{tmp_path}", other, timedelta(minutes=5))
    with pytest.raises(ConflictError, match="grace"):
        publish(team, "team", str(tmp_path), pause=lambda: None)
    assert not (tmp_path / "a.md").exists()
    done = publish(team, "team", str(tmp_path), pause=lambda: team.state.release(lease))
    assert done.written == ("/a.md", "/deep/b.md")


def test_the_setting_names_a_folder_per_store(team: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`agentflows memory publish` writes every store that it names; one that it does not name has to be told."""
    with pytest.raises(UsageError, match=r"no folder to publish 'team'.*AGENTFLOWS_PUBLISH"):
        publish(team, "team")
    monkeypatch.setenv("AGENTFLOWS_PUBLISH", json.dumps({"team": str(tmp_path / "mounted")}))
    with open_home(team.settings.home) as again:
        assert publish(again, "team").folder == str(tmp_path / "mounted")
        with pytest.raises(NotFoundError, match="nobody"):
            publish(again, "nobody")
    monkeypatch.setenv("AGENTFLOWS_PUBLISH", "team=folder")
    with pytest.raises(SettingsError, match="AGENTFLOWS_PUBLISH are JSON"):
        open_home(team.settings.home)


def test_the_command_publishes_what_the_setting_names(team: Home, tmp_path: Path):
    """One line per store; without a store and without the setting it says what to do."""
    place = tmp_path / "mounted"
    setting = command_line.foreign_variables() | {"AGENTFLOWS_PUBLISH": json.dumps({"team": str(place)})}
    home = ["--home", team.settings.home]
    done = command_line.run("memory", "publish", *home, environment=setting)
    assert (done.returncode, done.stdout) == (0, f"'team' version 1 is in {place}: 2 of 2 files written\n")
    done = command_line.run("memory", "publish", *home)
    assert done.returncode == 2
    assert "AGENTFLOWS_PUBLISH" in done.stderr
    (place / "a.md").write_text("by hand", "utf-8")
    done = command_line.run("memory", "publish", "--store", "team", "--to", place, *home)
    assert (done.returncode, "a.md" in done.stderr) == (1, True)
    done = command_line.run("memory", "publish", "--store", "team", "--to", place, "--force", "--json", *home)
    assert json.loads(done.stdout)["published"][0]["written"] == ["/a.md"]
