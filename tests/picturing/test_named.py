"""Every picture of a home, by name."""

import xml.etree.ElementTree as ET

import pytest

from agentflows.home import Home
from agentflows.memory import Actor
from agentflows.picturing import PICTURES, PictureName, draw


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_of_an_empty_home_is_drawn(home: Home, name: PictureName):
    """The web page of a fresh installation shows pictures that say that there is nothing yet."""
    home.state.create_store("team", actor=Actor(kind="user_actor", name="ada"))
    root = ET.fromstring(draw(home, name, store="team"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
