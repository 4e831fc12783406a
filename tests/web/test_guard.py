"""Who may ask, and who may decide: every way in that is not the reviewer's own browser is shut."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.web import Access, create_app
from agentflows.web.guard import MOST_BYTES
from tests.web.homes import dream_id
from tests.web.reading import URL, Page

Writing = Callable[[Home], TestClient]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def served(
    home: Home, *, can_write: bool = True, is_private: bool = False, hosts: tuple[str, ...] = ()
) -> tuple[TestClient, Access]:
    access = Access(can_write=can_write, is_private=is_private, hosts=frozenset(hosts))
    return TestClient(create_app(home, access=access), base_url=URL, headers={"Origin": URL}), access


def doors(home: Home) -> list[str]:
    """Every address that takes a form."""
    return [f"/dreams/{dream_id(home)}/{part}" for part in ("review", "commit")]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4280", "", "[evil]", "4280"]
)
def test_a_name_that_others_pointed_here_is_refused(reader: TestClient, host: str):
    """DNS rebinding: a page elsewhere makes its own name mean 127.0.0.1, and reads what it likes."""
    for path in (
        "/",
        "/healthz",
        "/static/page.css",
        "/login?token=x",
        "/context?id=x&seq=0&start=0&end=1&sha256=x",
    ):
        answer = reader.get(path, headers={"Host": host})
        assert answer.status_code == 421, path
        assert "example" not in Page(answer.text).text.replace("evil.example", "")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4280", "localhost", "LOCALHOST:9", "[::1]:4280", "192.168.1.7:80"]
)
def test_addresses_and_localhost_are_this_server(reader: TestClient, host: str):
    """Also behind a tunnel with another port."""
    assert reader.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_name_that_was_allowed_is_this_server(example: Home):
    """For a machine that is reached by its name."""
    client, _ = served(example, hosts=("box.internal",))
    assert client.get("/", headers={"Host": "box.internal:4280"}).status_code == 200
    assert client.get("/", headers={"Host": "other.internal:4280"}).status_code == 421


def test_a_server_that_only_shows_takes_no_form(reader: TestClient, example: Home):
    """Read-only is the default, and there is no link to become more."""
    for path in doors(example):
        answer = reader.post(path, data={"go": "confirm"}, headers={"Origin": URL})
        assert answer.status_code == 403
        assert "agentflows ui --write" in Page(answer.text).text
    assert reader.get("/login", params={"token": ""}).status_code == 403
    assert not reader.cookies


def test_nobody_decides_without_the_session_of_the_link(example: Home):
    """Another user of the machine, another program, another browser."""
    client, access = served(example)
    cookies = [
        {},
        {"session": "x"},
        {access.cookie: ""},
        {access.cookie: access.link},
        {access.cookie: "x" * 43},
    ]
    for path in doors(example):
        for cookie in cookies:
            client.cookies.clear()
            client.cookies.update(cookie)
            fields = {"go": "confirm", "token": access.form_token(path)}
            assert client.post(path, data=fields).status_code == 403


def test_the_link_becomes_a_session_once_and_is_gone_from_the_address(example: Home):
    """Shell histories and logs keep addresses."""
    client, access = served(example)
    link = access.link
    looked = client.head("/login", params={"token": link})  # as what previews links does
    assert (looked.status_code, access.link) == (200, link)
    typed = {"Sec-Fetch-Site": "none"}
    first = client.get("/login", params={"token": link}, headers=typed, follow_redirects=False)
    assert first.status_code == 303
    assert first.headers["location"] == "/"
    cookie = first.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert link not in cookie
    assert "You decide as" in Page(client.get("/").text).text
    again = client.get("/login", params={"token": link}, follow_redirects=False)
    assert again.headers["location"] == "/"
    client.cookies.clear()
    assert client.get("/login", params={"token": link}).status_code == 403
    assert client.get("/login", params={"token": ""}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:4200"},
        {"Origin": "http://localhost:4280"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "127.0.0.1:4280"},
        {"Origin": "javascript://127.0.0.1:4280"},
        {"Origin": URL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": URL, "Sec-Fetch-Site": "same-site"},
        {"Origin": URL, "Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_that_another_page_sent_is_refused(example: Home, writing: Writing, headers: dict[str, str]):
    """Also from another port of the same machine, which is the same site to a cookie."""
    client = writing(example)
    for path in doors(example):
        page = Page(client.get(doors(example)[0]).text)
        answer = client.post(path, data=page.fields() | {"go": "confirm"}, headers=headers)
        assert answer.status_code == 403
        assert "not sent from a page of this server" in Page(answer.text).text


def test_a_form_from_nowhere_is_refused(example: Home, writing: Writing):
    """A browser says where a form comes from; what does not say so is none."""
    client = writing(example)
    del client.headers["Origin"]
    assert client.post(doors(example)[0], data={"go": "confirm"}).status_code == 403


def test_a_form_without_its_own_token_is_refused(example: Home, writing: Writing):
    """None, another's, one of an earlier server: each form has one of its own."""
    client = writing(example)
    review, commit = doors(example)
    fields = Page(client.get(review).text).fields()
    wrong = ["", "0" * 64, "ü", Access(can_write=True, is_private=False).form_token(review)]
    for token in wrong:
        assert client.post(review, data=fields | {"token": token, "go": "confirm"}).status_code == 400
    assert client.post(commit, data=fields).status_code == 400
    assert client.post(review, data=fields | {"go": "1"}).status_code == 200
    assert not example.state.decisions(dream_id(example))


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_what_is_no_form_is_refused(example: Home, writing: Writing, kind: str):
    """A page elsewhere can send text without asking; a form of ours has one type."""
    answer = writing(example).post(doors(example)[0], content=b"go=confirm", headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("length", [str(MOST_BYTES + 1), "-1", "many", ""])
def test_a_form_too_large_is_refused_before_it_is_read(example: Home, writing: Writing, length: str):
    """Memory is not for whoever asks."""
    answer = writing(example).post(
        doors(example)[0], content=b"go=1", headers={**FORM, "Content-Length": length}
    )
    assert answer.status_code == 413


def test_more_than_was_announced_is_not_read(example: Home, writing: Writing):
    """A small Content-Length and a body without end."""
    client = writing(example)
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(20):
            sent.append(1)
            yield b"x" * (1 << 20)

    answer = client.post(doors(example)[0], content=endless(), headers={**FORM, "Content-Length": "10"})
    assert answer.status_code == 400
    assert "larger than" in Page(answer.text).text


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a=%FF%FE", b"&".join(b"a%d=1" % n for n in range(20_001))])
def test_a_form_that_cannot_be_read_is_said(example: Home, writing: Writing, body: bytes):
    """No trace, nothing done."""
    answer = writing(example).post(doors(example)[0], content=body, headers=FORM)
    assert answer.status_code == 400
    assert "Nothing was done" in Page(answer.text).text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(example: Home, writing: Writing, method: str):
    """There is nothing behind them."""
    assert writing(example).request(method, doors(example)[0]).status_code == 405


def test_pages_that_only_show_take_no_form(example: Home, writing: Writing):
    """Even from the reviewer."""
    assert writing(example).post("/stores", data={"x": "1"}).status_code == 405


@pytest.mark.parametrize("status", [200, 403])
def test_a_private_server_shows_nothing_without_the_link(example: Home, status: int):
    """On a machine that others use, and on any address but its own; with it, reading is not deciding."""
    client, access = served(example, can_write=status == 200, is_private=True)
    for path in (
        "/",
        "/stores/example",
        "/session?id=x",
        "/context?id=x&seq=0&start=0&end=1&sha256=x",
        "/nowhere",
    ):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "example" not in answer.text
    assert client.get("/static/page.css").status_code == 200
    assert client.get("/healthz").status_code == 200
    client.get("/login", params={"token": access.link})
    assert client.get("/stores/example").status_code == 200
    form = doors(example)[0]
    assert client.post(form, data={"token": access.form_token(form)}).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/..%2Fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%5Capp.py",
        "/static/%2Fetc%2Fpasswd", "/static/page.css%00.py", "/static/.", "/static/page", "/static/",
        "/stores/..%2F..%2Fetc", "/dreams/..%2F..%2Fetc%2Fpasswd", "/stores/example/file?path=/../../../etc/passwd",
        "/stores/example/file?path=../../state.db", "/patterns/..%2F..", "/pictures/..%2F..%2Fpage.svg?store=example",
    ],
)  # fmt: skip
def test_no_address_leads_out_of_what_there_is_to_show(reader: TestClient, path: str):
    """Files are found by name in a list, never by path."""
    answer = reader.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_every_answer_says_what_a_browser_may_do_with_it(reader: TestClient):
    """Pages, files and refusals alike."""
    answers = [
        reader.get("/"), reader.get("/nowhere"), reader.get("/static/page.css"), reader.get("/healthz"),
        reader.get("/", headers={"Host": "evil.example"}), reader.post("/", data={}), reader.put("/"),
        reader.get("/pictures/growth.svg?store=example"),
    ]  # fmt: skip
    for answer in answers:
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'unsafe-inline'" not in headers["content-security-policy"]
    policy = answers[0].headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in answers[-1].headers["content-security-policy"]


def test_a_page_that_breaks_tells_a_visitor_nothing_of_why(home: Home):
    """The terminal has the trace; the page has no value of it, and all the headers."""
    client = TestClient(create_app(home), base_url=URL, raise_server_exceptions=False)
    outcome = Outcome(outcome_id="outc_odd", description="d", rubric_sha256="x", agent="a", workspace="w")
    home.state.begin_outcome(outcome, base_id="b", request='{"secret": "hunter2"}')
    answer = client.get("/outcomes/outc_odd")
    assert answer.status_code == 500
    assert "ValidationError" in answer.text
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_websocket_is_closed(example: Home):
    """Cookies go with it, and no policy of an origin holds it back."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {"type": "websocket", "path": "/", "headers": []}

    async def ask() -> None:
        await create_app(example)(scope, receive, send)

    asyncio.run(ask())
    assert sent == [{"type": "websocket.close", "code": 1008}]
