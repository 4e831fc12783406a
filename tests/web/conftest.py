"""The example project as a home that is dreamt over once, and clients that read it or decide in it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agentflows.home import Home, open_home
from agentflows.web import Access, create_app
from tests.web.homes import make_example
from tests.web.reading import URL


@pytest.fixture(scope="session")
def dreamt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a dream that waits; nobody decides in it."""
    folder = tmp_path_factory.mktemp("web") / "home"
    make_example(folder)
    return folder


@pytest.fixture(scope="module")
def example(dreamt: Path) -> Iterator[Home]:
    """The same, open."""
    with open_home(dreamt) as home:
        yield home


@pytest.fixture
def own(dreamt: Path, tmp_path: Path) -> Iterator[Home]:
    """A copy of it, to decide in; its archive is left out, for no decision asks it."""
    shutil.copytree(dreamt, tmp_path / "own", ignore=shutil.ignore_patterns("archive"))
    with open_home(tmp_path / "own") as home:
        yield home


@pytest.fixture
def reader(example: Home) -> TestClient:
    """A browser that only reads."""
    return TestClient(create_app(example), base_url=URL)


@pytest.fixture
def writing() -> Callable[[Home], TestClient]:
    """Makes the browser that opened the link: it may decide, as ada, and says where its forms come from."""

    def make(home: Home) -> TestClient:
        access = Access(can_write=True, is_private=False)
        client = TestClient(
            create_app(home, access=access, reviewer="ada"), base_url=URL, headers={"Origin": URL}
        )
        client.get("/login", params={"token": access.link})
        return client

    return make
