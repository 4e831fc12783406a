"""What a Prefect installation keeps and lets in: no secret, no sentence of a session outside its artifacts, nobody unasked."""

import json
import random
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.flows import Flow
from prefect.serializers import JSONSerializer
from prefect.tasks import Task
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agentflows import open_home
from agentflows.project import FLOWS, load_module
from agentflows.testing import FakeMessagesAPI, Reply
from bench.dreambench.sessions import Log
from tests.adversarial.logs import write_sessions
from tests.browser.reviews import Reviews
from tests.browser.scan import columns, files, found_in
from tests.command_line import run
from tests.conftest import ROOT
from tests.prefect_server import PrefectSite, wait_for
from tests.redaction.test_kinds import SECRETS

pytestmark = pytest.mark.prefect

SENTENCE = "From now on, always weigh quokka parcels before sunrise."
"""What users say in sessions: a change quotes it, and only where changes are shown may it stand."""
OWN_TEXT = "- Weigh quokka parcels at noon, whatever the sessions say."
"""What a reviewer writes."""
SHOWN = {"artifact.data", "artifact_collection.data"}
"""Where changes are shown. A form that waits is one more place, until it was carried out."""
OPEN = {"GET /api/health", "GET /api/ready"}
"""What answers without the password, by intention."""


@dataclass(frozen=True)
class Planted:
    """Secrets of every kind, with the words they stand in, and the texts that are no secret but nobody's business."""

    secrets: Mapping[str, str]
    told: Mapping[str, str]

    @property
    def words(self) -> dict[str, str]:
        return {
            "a user's sentence": "quokka parcels before sunrise",
            "a reviewer's text": "quokka parcels at noon",
        }


@pytest.fixture(scope="module")
def planted() -> Planted:
    rng = random.Random(24)
    made = {kind: make(rng) for kind, (make, _) in SECRETS.items()}
    told = {kind: SECRETS[kind][1].replace("%", secret) for kind, secret in made.items()}
    return Planted(made, told)


@pytest.fixture
def works(prefect_site: PrefectSite, planted: Planted, tmp_path: Path) -> Iterator["Works"]:
    with FakeMessagesAPI() as fake:
        yield Works(prefect_site, planted, tmp_path, fake)
    prefect_site.stop_workers()


class Works(Reviews):
    """A home, an endpoint that repeats the key it refuses, and sessions in which people and tools told secrets."""

    def __init__(self, site: PrefectSite, planted: Planted, folder: Path, fake: FakeMessagesAPI) -> None:
        self.site, self.home, self.folder, self.planted = site, folder / "home", folder, planted
        self.key = planted.secrets["anthropic"]
        self.settings = {
            "AGENTFLOWS_HOME": str(self.home),
            "ANTHROPIC_BASE_URL": fake.url,
            "ANTHROPIC_API_KEY": self.key,
        }
        told = " ".join(planted.told.values())
        fake.script(lambda _: Reply.error(401, f"invalid x-api-key {self.key}; {told}"))
        write_sessions(folder / "logs", 3, self._session)
        self._outcome(told)
        site.start_worker(self.settings)

    def _session(self, log: Log, number: int) -> None:
        log.user(SENTENCE)
        for kind, told in self.planted.told.items():
            log.user(f"For {kind}: {told}")
            log.agent(f"Noted for {kind}: {told}")

    def _outcome(self, told: str) -> None:
        """An agent that fails with an error that tells it all, chained to another one."""
        work = self.folder / "work"
        work.mkdir()
        (work / "rubric.md").write_text("- The page is there. (check)\n  check: exists page.md\n")
        (work / "agent.md").write_text(
            "---\nname: teller\nrunner: python\nfunction: teller:tell\n---\nTell.\n"
        )
        (work / "teller.py").write_text(
            f"TOLD = {told!r}\n\ndef tell(task, feedback, workspace, memory):\n    try:\n        raise ValueError(TOLD)\n"
            "    except ValueError as error:\n        raise RuntimeError(TOLD) from error\n"
        )
        (self.folder / "workspace").mkdir()

    def end(self, deployment: str, **parameters: Any) -> str:
        """Run a deployment to its end, whatever that is; its state."""
        found = self.site.call("GET", f"/deployments/name/{deployment}/{deployment}")["id"]
        run_id = self.site.call("POST", f"/deployments/{found}/create_flow_run", {"parameters": parameters})[
            "id"
        ]
        ended = {"Completed", "Failed", "Crashed", "Cancelled", "Suspended"}
        return wait_for(
            f"{deployment} to end", lambda: next(iter({self.state(run_id)["name"]} & ended), None)
        )

    def on_the_command_line(self, *words: str, **environment: str) -> int:
        """The exit code of `agentflows …` as somebody types it who works with this server."""
        given = self.site.environment | self.settings | environment
        return run(*words, environment=given, folder=self.folder).returncode


def test_no_secret_and_no_sentence_of_a_session_is_kept_outside_its_artifacts(works: Works, planted: Planted):
    """Runs that succeed, runs that fail with an error that tells everything, and a review: then every column is read."""
    assert works.end("ingest", path=str(works.folder / "logs")) == "Completed"
    assert works.on_the_command_line("dream", "--store", "team", "--engine", "rules") == 3
    assert works.on_the_command_line("archive", "stats") == 0
    assert works.end("dream", store="other", engine="claude") == "Failed"
    work = works.folder / "work"
    given = {"rubric": str(work / "rubric.md"), "agent": str(work / "agent.md")}
    works.end("outcome", description="Tell", workspace=str(works.folder / "workspace"), **given)
    password = planted.secrets["url-password"]
    dead = f"postgresql+psycopg://app:{password}@127.0.0.1:1/app"
    assert works.on_the_command_line("ingest", str(works.folder / "logs"), AGENTFLOWS_STATE_URL=dead) == 1
    with open_home(works.home) as home:
        changes = home.state.changes(status="held")
    asked = works.run("review", dream_id=changes[0].dream_id)
    above, _ = works.shown(asked)
    assert "quokka" in above, "the change is there to be found"
    mine = next(number for number, one in enumerate(changes, 1) if "quokka" in (one.after or ""))
    edits = [{"number": mine, "text": OWN_TEXT}]
    assert works.resume(asked, edits=edits, afterwards="end this run; the rest stays held") == "Completed"

    places = [*columns(works.site.database), *files(works.site.folder)]
    leaked = {place: found for place, data in places if (found := found_in(data, planted.secrets))}
    strayed = {
        place: found
        for place, data in places
        if place not in SHOWN and (found := found_in(data, planted.words))
    }
    shown = {place for place, data in places if place in SHOWN and found_in(data, planted.words)}
    print(f"\nPREFECT_SECRETS tried={len(planted.secrets) * len(places)} bad={len(leaked)}")  # noqa: T201 - the figure
    print(f"PREFECT_CONTENT tried={2 * len(places)} bad={len(strayed)}")  # noqa: T201 - the figure
    assert leaked == {}
    assert strayed == {}
    assert shown == SHOWN, "the search finds what is there"


def test_nothing_that_runs_code_is_kept_and_nothing_that_is_kept_is_loaded(prefect_site: PrefectSite):
    """Prefect pickles the error of a failed flow even where results are not persisted; ours leave its kind, as JSON."""
    kept: list[Flow[Any, Any] | Task[Any, Any]] = [
        one
        for name in FLOWS
        for one in vars(load_module(name, ROOT)).values()
        if isinstance(one, Flow | Task)
    ]
    loading = [
        one.name
        for one in kept
        if one.persist_result is not False or (isinstance(one, Task) and one.cache_policy is None)
    ]
    for one in kept:
        if isinstance(one, Flow):
            plain = one.result_serializer
            assert isinstance(plain, JSONSerializer)
            assert plain.object_decoder is None
    stored = [json.loads(data) for name, data in files(prefect_site.folder) if "storage" in name]
    strange = [one for one in stored if not re.fullmatch(r"\w+Error", str(one))]
    print(f"\nPREFECT_RESULTS tried={len(kept) + len(stored)} bad={len(loading) + len(strange)}")  # noqa: T201 - the figure
    assert not loading
    assert not strange
    assert len(kept) > 25


def test_every_error_of_a_flow_and_a_task_is_scrubbed():
    """Whoever adds a step without it learns it here."""
    bare = [
        one.name
        for name in FLOWS
        for one in vars(load_module(name, ROOT)).values()
        if isinstance(one, Flow | Task) and not hasattr(one.fn, "__wrapped__")
    ]
    assert bare == []


def test_every_endpoint_asks_for_the_password(prefect_site: PrefectSite):
    """All that the server itself says it has, by every method, and its streams of events and logs."""
    described = httpx.get(f"{prefect_site.url}/openapi.json", timeout=60).json()["paths"]
    tried = [
        (method.upper(), "/api" + re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", path))
        for path, methods in described.items()
        for method in methods
    ]
    assert len(tried) > 150
    with httpx.Client(base_url=prefect_site.url, timeout=60) as http:
        answered = {
            f"{method} {path}"
            for method, path in tried
            if http.request(method, path).status_code not in {401, 403}
        }
        wrong = http.get("/api/admin/settings", auth=("admin", "guess")).status_code
    streams = ("/api/events/in", "/api/events/out", "/api/logs/out")
    open_streams = {path for path in streams if _lets_in(f"{prefect_site.url.replace('http', 'ws')}{path}")}
    bad = answered - OPEN | open_streams
    print(f"\nPREFECT_OPEN tried={len(tried) + len(streams)} bad={len(bad)}")  # noqa: T201 - the figure
    assert bad == set()
    assert wrong == 401


def _lets_in(address: str) -> bool:
    """Whether a stream says anything but no to somebody without the password."""
    try:
        with connect(address, subprotocols=["prefect"], open_timeout=60) as stream:  # pyright: ignore[reportArgumentType]
            stream.send(json.dumps({"type": "auth", "token": "guess"}))
            return json.loads(stream.recv(60)).get("type") == "auth_success"
    except (ConnectionClosed, InvalidStatus):
        return False


def test_a_page_elsewhere_can_start_nothing(prefect_site: PrefectSite):
    """A browser that knows the password sends it for any page: the token is what such a page lacks, and an answer it may read."""
    user, _, password = prefect_site.password.partition(":")
    evil = "http://evil.example"
    with httpx.Client(base_url=prefect_site.api, auth=(user, password), timeout=60) as http:
        assert http.post("/flow_runs/filter", json={}).status_code == 403
        forged = {"Prefect-Csrf-Client": "x", "Prefect-Csrf-Token": secrets.token_hex(32)}
        assert http.post("/flow_runs/filter", json={}, headers=forged).status_code == 403
        asked = http.options(
            "/flow_runs/filter", headers={"Origin": evil, "Access-Control-Request-Method": "POST"}
        )
        assert evil not in asked.headers.get("access-control-allow-origin", "")
        read = http.get("/csrf-token", params={"client": "x"}, headers={"Origin": evil})
        assert "access-control-allow-origin" not in read.headers
