"""Contents that travel by their hash: whole, checked, once, and with a clear word when they cannot."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.depot import Depot
from agentflows.errors import SettingsError, StagingError
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["s3", "s3_server"]

At = Callable[[str], Depot]


@pytest.fixture(params=["file", "s3"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> At:
    """The depot of one job as the machine of that name sees it: over a folder, and over an object store."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        url = f"{server.new_bucket()}/staging"
    else:
        url = f"file://{tmp_path}/shared"
    return lambda machine: Depot(url, "job_x", tmp_path / machine)


def keep(depot: Depot, *texts: str) -> list[str]:
    """Contents on the machine of that depot, by their hashes."""
    depot.folder.mkdir(exist_ok=True)
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    for sha256, text in zip(hashes, texts, strict=True):
        (depot.folder / sha256).write_text(text)
    return hashes


def stored(depot: Depot, sha256: str) -> tuple[object, str]:
    """Where it lies there, and the file system."""
    return depot._fs, f"{depot._root}/{sha256}"  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]


def test_what_one_machine_shares_another_brings_once(at: At):
    """By its hash, each content once in either direction, read-only."""
    one, two = at("one"), at("two")
    hashes = keep(one, "a", "b", "")
    assert (one.share(hashes), one.share(hashes), at("one").share(hashes)) == (3, 0, 0)
    assert (two.fetch(hashes[:2]), two.fetch(hashes), two.fetch(hashes)) == (2, 1, 0)
    assert [(two.folder / sha256).read_text() for sha256 in hashes] == ["a", "b", ""]
    assert {(two.folder / sha256).stat().st_mode & 0o777 for sha256 in hashes} == {0o400}


def test_a_damaged_content_is_refused_and_nothing_of_it_is_left(at: At):
    """Whoever can write there must not be able to change what an agent works with."""
    one, two = at("one"), at("two")
    (sha256,) = keep(one, "the truth")
    one.share([sha256])
    fs, place = stored(one, sha256)
    fs.pipe_file(place, b"a lie")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    with pytest.raises(StagingError, match=rf"{sha256[:12]}… in .*job_x is damaged: its sha256 is another"):
        two.fetch([sha256])
    assert [path.name for path in two.folder.iterdir()] == [".fetching"]


def test_a_missing_content_is_named_with_what_to_do(at: At):
    """A folder that somebody cleared is no empty file."""
    with pytest.raises(StagingError, match=r"0{12}… is missing in .*job_x.*run again"):
        at("one").fetch(["0" * 64])


def test_a_content_that_is_not_here_cannot_be_shared(at: At):
    """Nobody is told that it lies there."""
    with pytest.raises(StagingError, match=r"is not in .*one, so it cannot be put"):
        at("one").share(["0" * 64])


def test_what_was_cleared_is_gone_for_all_and_may_be_shared_again(at: At):
    """A job that is over leaves nothing there; clearing twice does no harm."""
    one = at("one")
    hashes = keep(one, "a")
    one.share(hashes)
    one.clear()
    one.clear()
    with pytest.raises(StagingError, match="is missing"):
        at("two").fetch(hashes)
    assert one.share(hashes) == 1
    assert at("two").fetch(hashes) == 1


def test_a_store_that_refuses_is_named(s3: S3Server, tmp_path: Path):
    """With the setting to look at, and no trace of the driver's."""
    url = f"{s3.new_bucket()}/staging"
    one, two = Depot(url, "job_x", tmp_path / "one"), Depot(url, "job_x", tmp_path / "two")
    hashes = keep(one, "a")
    s3.is_denying = True
    for act in (one.share, two.fetch):
        with pytest.raises(StagingError, match=r"cannot be (read|written): .*Check AGENTFLOWS_STAGING_URL"):
            act(hashes)


def test_a_bucket_that_is_not_there_is_named(s3: S3Server, tmp_path: Path):
    """The commonest slip."""
    depot = Depot("s3://no-such-bucket/staging", "job_x", tmp_path / "one")
    with pytest.raises(StagingError, match="Make the bucket, or correct AGENTFLOWS_STAGING_URL"):
        depot.share(keep(depot, "a"))


@pytest.mark.parametrize("url", ["memory://x", "simplecache::s3://x/y", "filecache://x"])
def test_a_place_that_only_this_process_sees_is_refused(url: str, tmp_path: Path):
    """Before a job begins whose turns could never be done."""
    with pytest.raises(SettingsError, match="no other machine can see"):
        Depot(url, "job_x", tmp_path)


def test_a_url_without_a_driver_is_refused(tmp_path: Path):
    """With the name of the setting."""
    with pytest.raises(SettingsError, match="AGENTFLOWS_STAGING_URL 'nothing://x' cannot be opened"):
        Depot("nothing://x", "job_x", tmp_path)
