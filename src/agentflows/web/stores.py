"""Pages of memory stores: what they say, since when and why, and how two versions differ."""

from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from agentflows import lineage
from agentflows.errors import NotFoundError, UsageError
from agentflows.lineage.validity import NO_CLAIM
from agentflows.memory import MemoryStore, MemoryVersion, parse_entries
from agentflows.store import pinned_ids
from agentflows.web.asked import Paging, number, paging, wanted
from agentflows.web.context import in_context
from agentflows.web.diff import by_file
from agentflows.web.site import Site

VERSIONS = 50
QUOTES = 8
RECHECKS = 25


def listing(site: Site, request: Request) -> Response:
    """All stores."""
    state = site.home.state
    stores = state.list_stores(archived=True)
    rows = [(store, state.memories(store.store_id)) for store in stores]
    lines = [(store, len(files), sum(len(one.content) for one in files)) for store, files in rows]
    return site.page(request, "stores.html", lines=lines)


def store(site: Site, request: Request) -> Response:
    """One store: its memories, its newest versions, the dreams over it."""
    state = site.home.state
    found = _store(site, request)
    memories = [
        (memory, parse_entries(memory.path, memory.content)) for memory in state.memories(found.store_id)
    ]
    return site.page(
        request,
        "store.html",
        store=found,
        memories=memories,
        versions=_commits(site, found, 0, 10),
        dreams=state.dream_lines(found.store_id, limit=5),
        pins=state.pins(found.store_id),
        flags=[flag for flag in state.impact_flags(found.store_id) if flag.status == "open"],
    )


def file(site: Site, request: Request) -> Response:
    """One memory, entry by entry, now or as it was."""
    state = site.home.state
    found = _store(site, request)
    version = number(request, "version", found.version)
    files = state.files(found.store_id, version)
    path = wanted(request, "path")
    if path not in files:
        msg = (
            f"Store {found.name!r} version {version} has no memory {path!r}. It has: "
            f"{', '.join(sorted(files)[:20]) or 'none'}."
        )
        raise NotFoundError(msg)
    entries = parse_entries(path, files[path])
    ages: dict[str, lineage.Validity] = {}
    if version == found.version:
        told = lineage.Ages(lineage.Records(state, found))
        standing = {one.text: one for one in told.stood if one.path == path and one.last_version is None}
        ages = {text: told.of(one) for text, one in standing.items()}
    return site.page(
        request,
        "file.html",
        store=found,
        shown_version=version,
        file_path=path,
        content=files[path],
        entries=entries,
        ages=ages,
        no_claim=NO_CLAIM,
        pinned=pinned_ids(state.pins(found.store_id), files) if version == found.version else set(),
        is_raw=request.query_params.get("as") == "text",
    )


def entry(site: Site, request: Request) -> Response:
    """One entry: what it says, when it was true, what made it, and every quote it rests on in its context."""
    state = site.home.state
    found = _store(site, request)
    name = wanted(request, "id")
    records = lineage.Records(state, found)
    ages = lineage.Ages(records)
    stood = ages.named(name)
    chain = ages.chain(stood)
    page = paging(request, QUOTES)
    entries = [
        one for one in parse_entries(stood.path, records.files.get(stood.path, "")) if one.text == stood.text
    ]
    if not entries:
        return site.page(request, "entry_gone.html", store=found, age=ages.of(stood), chain=chain)
    nothing = slice(0, 0)
    why = lineage.explain(records, site.home.archive, entries[:1], looked_up=nothing)[0]
    quotes = why.quotes[page.offset : page.offset + QUOTES]
    return site.page(
        request,
        "entry.html",
        store=found,
        entry=entries[0],
        why=why,
        chain=chain,
        page=Paging(page.page, QUOTES, len(why.quotes), has_more=page.offset + QUOTES < len(why.quotes)),
        quotes=[
            (quote, in_context(site.home.archive, quote.address, quote.start, quote.end, sha256=quote.sha256))
            for quote in quotes
        ],
    )


def history(site: Site, request: Request) -> Response:
    """Every version of a store, the newest first."""
    found = _store(site, request)
    page = paging(request, VERSIONS)
    versions = _commits(site, found, page.offset, VERSIONS + 1)
    more = sum(len(rows) for _, rows in versions) > VERSIONS
    return site.page(
        request,
        "history.html",
        store=found,
        versions=versions,
        flags=site.home.state.impact_flags(found.store_id),
        page=Paging(page.page, VERSIONS, has_more=more),
    )


def compare(site: Site, request: Request) -> Response:
    """Two versions of a store, by entry and by word."""
    state = site.home.state
    found = _store(site, request)
    last = number(request, "to", found.version)
    first = number(request, "from", max(0, last - 1))
    if first > last:
        msg = f"Version {first} is newer than version {last}. Name the older one first."
        raise UsageError(msg)
    changes = by_file(state.files(found.store_id, first), state.files(found.store_id, last))
    made = [
        (version, rows) for version, rows in _commits(site, found, 0, VERSIONS) if first < version <= last
    ]
    return site.page(request, "compare.html", store=found, first=first, last=last, changes=changes, made=made)


def recheck(site: Site, request: Request) -> Response:
    """What should be looked at again, and why."""
    found = _store(site, request)
    due = lineage.queue(lineage.Records(site.home.state, found), site.home.archive)
    page = paging(request, RECHECKS)
    shown = due[page.offset : page.offset + RECHECKS]
    return site.page(
        request,
        "recheck.html",
        store=found,
        due=shown,
        page=Paging(page.page, RECHECKS, len(due), has_more=page.offset + RECHECKS < len(due)),
    )


def _store(site: Site, request: Request) -> MemoryStore:
    return site.home.state.get_store(request.path_params["store"])


def _commits(
    site: Site, store: MemoryStore, offset: int, limit: int
) -> list[tuple[int, list[MemoryVersion]]]:
    """The newest changes to memories, by the version they belong to."""
    rows = site.home.state.versions(store.store_id, offset=offset, limit=limit)
    return [(version, list(group)) for version, group in groupby(rows, key=lambda row: row.store_version)]
