"""The claude engine against the fake endpoint: wall time ÷ ideal, tokens sent ÷ raw, findings in digests ÷ in whole.

`python bench/claude.py --sessions 60 --latency 0.5 --concurrency 8`, or `--real FOLDER` for sessions of your own.

Ideal is calls × latency ÷ concurrency. Tokens are four characters each on both sides. The oracle that answers
knows some error strings, standing rules and warnings (see `oracle.py`); it is asked about the digests, as the
dream sends them, and here about the whole transcripts, and the two must find the same.
"""

import argparse
import importlib
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from endpoint import KEY, Endpoint, Received
from make_sessions import make_sessions
from oracle import Finding, Kind, findings, same_names, whole

from agentflows import dream as deed
from agentflows import model as models
from agentflows.dream.digest import digest
from agentflows.dream.quotes import resolve_quote
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.session import Session, Usage

MODEL = "claude-sonnet-5-5"
LONG = 85_000
"""Characters of tool output that make an invented session about as long as a real one."""
TARGET_WALL, TARGET_TOKENS = 1.25, 0.25
PACKS = (1, 4, 10)


@dataclass(frozen=True, slots=True)
class Phase:
    """Part of a dream: how long it took, and what the endpoint got."""

    seconds: float
    received: Received
    steps: tuple[int, ...]
    """Calls of each step in it; a step begins when the one before has ended."""

    def rounds(self, concurrency: int) -> float:
        """The best ratio there can be: the last round of a step is seldom full."""
        rounds = sum(math.ceil(calls / concurrency) for calls in self.steps)
        return rounds * concurrency / self.received.calls if self.received.calls else 0.0

    def ratio(self, latency: float, concurrency: int) -> float:
        """Wall time ÷ (calls × latency ÷ concurrency); 0.0 without calls."""
        ideal = self.received.calls * latency / concurrency
        return self.seconds / ideal if ideal else 0.0


def main() -> None:
    """Measure short and long invented sessions, or those of a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=60)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds before every answer")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--padding", type=int, default=LONG, help="characters added to each long session")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="native session logs instead")
    options = parser.parse_args()
    importlib.import_module("agentflows.claude")  # it takes a second, once per process, and is no call
    with tempfile.TemporaryDirectory() as folder:
        sources = {"real": options.real} if options.real else _made(Path(folder), options)
        for name, source in sources.items():
            with (
                Endpoint(options.latency) as endpoint,
                open_home(
                    Path(folder) / f"home-{name}",
                    base_url=endpoint.url,
                    api_key=KEY,
                    model=MODEL,
                    concurrency=options.concurrency,
                ) as home,
            ):
                ingest_files(home, discover(source))
                measure(name, home, endpoint, options.latency, options.concurrency)


def _made(folder: Path, options: argparse.Namespace) -> dict[str, Path]:
    make_sessions(folder / "short", options.sessions)
    make_sessions(folder / "long", options.sessions, padding=options.padding)
    return {"short": folder / "short", "long": folder / "long"}


def measure(name: str, home: Home, endpoint: Endpoint, latency: float, concurrency: int) -> None:
    """One dream over everything in the home, two more that must cost nothing, and the comparisons."""
    sessions = list(home.archive.sessions([info.session_id for info in home.archive.info()]))
    raw = sum(len(turn.text) for session in sessions for turn in session.turns) // 4
    bare = bare_ratio(endpoint, min(len(sessions), 5 * concurrency), latency, concurrency)
    request = DreamRequest(store="bench", engine="claude")
    run, reading, dream = dreamt(home, endpoint, request)
    print(
        f"{name}: {len(sessions)} sessions of {raw // len(sessions):,} tokens; {latency} s latency, "
        f"{concurrency} at once; {dream.received.calls} calls, {len(run.changes)} changes"
    )
    fake_share = dream.received.cpu_seconds / dream.seconds
    print(f"  wall ÷ ideal: the fake with a bare HTTP client {bare:.2f}, using {fake_share:.0%} of one core")
    for what, phase in (("reading the sessions", reading), ("the whole dream", dream)):
        steps = f"calls {' + '.join(map(str, phase.steps))}, in whole rounds at best {phase.rounds(concurrency):.2f}"
        _judge(f"  wall ÷ ideal: {what}", phase.ratio(latency, concurrency), TARGET_WALL, f"; {steps}")
    _judge("  input tokens sent ÷ raw, reading", reading.received.input_tokens / raw, TARGET_TOKENS)
    _judge("  input tokens sent ÷ raw, whole dream", dream.received.input_tokens / raw, TARGET_TOKENS)
    _print_costs(home, run, raw)
    _print_packs(sessions, run, reading, raw)
    _print_findings(sessions, run)
    _print_repeats(home, endpoint, request)


def dreamt(home: Home, endpoint: Endpoint, request: DreamRequest) -> tuple[DreamRun, Phase, Phase]:
    """The steps of `dream_over`, with a look at the endpoint after the reading and at the end."""
    before, started = endpoint.received(), time.perf_counter()
    run = DreamRun.start(home, request)
    run.mine()
    run.recall()
    reading_before, reading_started = endpoint.received(), time.perf_counter()
    for number in range(1, len(run.pending) + 1):
        run.extract(number)
    read = endpoint.received() - reading_before
    reading = Phase(time.perf_counter() - reading_started, read, (read.calls,))
    run.check_quotes()
    run.cluster()
    clustered = endpoint.received() - before
    run.propose()
    run.refute()
    run.verify()
    run.finish()
    seconds, everything = time.perf_counter() - started, endpoint.received() - before
    steps = (read.calls, clustered.calls - read.calls, everything.calls - clustered.calls)
    whole_dream = Phase(seconds, everything, steps)
    if run.failures:
        sys.exit(f"{len(run.failures)} sessions were not read, so nothing was measured: {run.failures[0]}")
    return run, reading, whole_dream


def bare_ratio(endpoint: Endpoint, calls: int, latency: float, concurrency: int) -> float:
    """The same ratio for a client that does nothing: what machine and fake cost by themselves."""
    address = urlsplit(endpoint.url)
    body = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "none"}], "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"proposals": {"type": "array", "items": {"type": "string"}}}, "required": ["proposals"], "additionalProperties": false}}}}'
    headers = {"content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01"}

    def ask(_number: int) -> None:
        connection = HTTPConnection(address.hostname or "", address.port)
        connection.request("POST", "/v1/messages", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"the fake answered {answer.status}: {answer.read()[:300]!r}")
        answer.read()
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(ask, range(calls)))
    return (time.perf_counter() - started) / (calls * latency / concurrency)


def _judge(what: str, ratio: float, target: float, more: str = "") -> None:
    print(f"{what} {ratio:.3f} (target {target}{'' if ratio <= target else ', MISSED'}{more})")


def _print_costs(home: Home, run: DreamRun, raw: int) -> None:
    """At list price, beside the raw transcripts sent once each with nothing around them."""
    price = models.price(MODEL)
    if price is None:
        return
    usage = home.state.spent(f"dream:{run.dream.dream_id}").usage
    sent = Usage(usage.input_tokens, 0, usage.cache_read_tokens, usage.cache_write_tokens)
    print(
        f"  input dollars sent ÷ raw {price.cost(sent) / price.cost(Usage(raw)):.3f}: of "
        f"{sent.total:,} tokens the cache gave {usage.cache_read_tokens / max(1, sent.total):.0%}"
    )


def _print_packs(sessions: Sequence[Session], run: DreamRun, reading: Phase, raw: int) -> None:
    """What it would come to if one call read several sessions: only the prompt around them is shared."""
    if not reading.received.calls:
        return
    material = sum(len(_digest(session, run)) for session in sessions) // 4
    prompt = (reading.received.input_tokens - material) / reading.received.calls
    packed = [(pack, (material + prompt * len(sessions) / pack) / raw) for pack in PACKS]
    print(
        f"  prompt and schema {prompt:,.0f} tokens a call, digest {material // len(sessions):,}: sent ÷ raw with "
        + ", ".join(f"{pack} a call {ratio:.3f}" for pack, ratio in packed)
    )


def _print_findings(sessions: Sequence[Session], run: DreamRun) -> None:
    """The same oracle on the digests and on the whole transcripts; quotes that are no evidence do not count."""
    totals: dict[Kind, list[int]] = {kind: [0, 0] for kind in get_args(Kind)}
    for session in sessions:
        in_whole = _proved(session, findings(whole(session)))
        in_digest = _proved(session, findings(_digest(session, run)))
        for kind, (kept, there) in totals.items():
            totals[kind] = [
                kept + same_names(in_whole, in_digest, kind),
                there + sum(finding.kind == kind for finding in in_whole),
            ]
    said = ", ".join(f"{kind}s {kept} of {there}" for kind, (kept, there) in totals.items())
    print(f"  findings in the digests, of those in the whole transcripts: {said}")
    made = sum(len(found) for found in run.observations.values())
    print(f"  observations that passed the gates in the dream: {made}")


def _digest(session: Session, run: DreamRun) -> str:
    hints = deed.hints(run.mined, {session.session_id})
    page = digest(session, hints.get(session.session_id, []))
    return page.text if page.shown else ""


def _proved(session: Session, found: Sequence[Finding]) -> list[Finding]:
    proved: list[Finding] = []
    for finding in found:
        quote = resolve_quote(session, finding.seq, finding.text)
        if quote and (finding.kind != "rule" or quote.trust == 3):
            proved.append(finding)
    return proved


def _print_repeats(home: Home, endpoint: Endpoint, request: DreamRequest) -> None:
    """The same dream again, and the same sessions for another store that is as empty: both must send nothing."""
    before = endpoint.received()
    dream_over(home, request)
    again = endpoint.received() - before
    dream_over(home, request.model_copy(update={"store": "other"}))
    other = endpoint.received() - before
    print(f"  calls of a second dream: {again.calls}; for another empty store: {other.calls - again.calls}")
    if other.calls:
        sys.exit("a dream paid twice for the same answers")


if __name__ == "__main__":
    main()
