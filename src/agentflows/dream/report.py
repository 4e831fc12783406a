"""The report of a dream: what was read, what is proposed with which proof, what was refused, what to do next.

Rendered from a `DreamReport` alone, so that Markdown, tables and terminal lines cannot disagree. Everything
that stood in a transcript or came from a model is escaped: it can show anything and forge nothing.
"""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from agentflows.change import DreamReport, Pattern, Refusal
from agentflows.dream.shown import count, in_full, place
from agentflows.escape import block, code, inline, plain

MAX_CHANGES_SHOWN = 100
"""In full; the rest are one line each, and all are in the table and in JSON."""
_MAX_PATTERNS = 40
_SAMPLES_EACH = 5


def markdown(report: DreamReport) -> str:
    """The whole report as Markdown, for artifacts and files."""
    parts = [
        *_head(report),
        *_read(report),
        *_changes(report),
        *_replay(report),
        *_ledger(report),
        *_refused(report),
        *_patterns(report.patterns),
        *_cost(report),
        *_notes(report),
        *_next(report),
    ]
    return "\n\n".join(parts) + "\n"


def summary(report: DreamReport) -> str:
    """A few plain lines for a terminal."""
    counts = summary_json(report)
    dream = report.dream
    lines = [
        f"Dream {plain(dream.dream_id)} over {plain(dream.store_name)}: {dream.status}, engine {plain(dream.engine)}.",
        (
            f"Read {counts['sessions_read']:,} of {counts['sessions_selected']:,} sessions"
            f" ({report.coverage.from_cache:,} from cache, {report.coverage.failed:,} failed), {report.coverage.turns:,} turns."
        ),
        (
            f"{counts['changes']:,} changes: {counts['held']:,} held, {counts['committed']:,} committed;"
            f" {counts['refused']:,} refused by gates."
        ),
    ]
    if dream.error:
        lines.append(f"Error: {plain(dream.error_type)}: {plain(dream.error)}")
    for number, change in enumerate(report.changes[:10], 1):
        text = plain(change.after or change.before or change.reason, 90)
        lines.append(f"  {number}. {change.op} ({change.status}, {count(change.support, 'session')}): {text}")
    if len(report.changes) > 10:
        lines.append(f"  … {len(report.changes) - 10:,} more")
    lines.extend(f"Next: {command}" for command in next_commands(report)[:2])
    return "\n".join(lines)


def summary_json(report: DreamReport) -> dict[str, Any]:
    """The counts of a dream, for `--json` and for a flow's result. Ids and numbers only, no contents."""
    statuses = [change.status for change in report.changes]
    coverage = report.coverage
    return {
        "dream_id": report.dream.dream_id,
        "status": report.dream.status,
        "store": report.dream.store_name,
        "engine": report.dream.engine,
        "base_version": report.dream.base_version,
        "output_version": report.dream.output_version,
        "sessions_selected": coverage.selected,
        "sessions_read": coverage.read + coverage.from_cache,
        "sessions_failed": coverage.failed,
        "sessions_unread": coverage.unread,
        "patterns": len(report.patterns),
        "changes": len(report.changes),
        "held": statuses.count("held"),
        "committed": statuses.count("committed"),
        "rejected": statuses.count("rejected"),
        "refused": sum(report.refused.values()),
        "refused_by_gate": dict(sorted(report.refused.items())),
        "ledger": dict(sorted(report.ledger.counts.items())),
        "dollars": report.cost.dollars,
        "tokens": report.cost.usage.total,
        **_replay_json(report),
    }


def _replay_json(report: DreamReport) -> dict[str, Any]:
    if report.replay is None:
        return {}
    verdicts = ("passes", "fails", "improved", "flipped", "unclear")
    return {"probes": {verdict: report.replay.count(verdict) for verdict in verdicts}}


def changes_table(report: DreamReport) -> list[dict[str, Any]]:
    """One row for each change, numbered as `review show` numbers them."""
    return [
        {
            "number": number,
            "op": change.op,
            "status": change.status,
            "sessions": change.support,
            "after": plain(change.after or "", 300),
            "where": plain(place(change)),
            "why": plain(change.reason, 300),
            "before": plain(change.before or "", 300),
            "against": change.support_against,
            "sources": change.origins,
            "trust": change.trust,
            "risks": ", ".join(change.risks),
            "change_id": change.change_id,
        }
        for number, change in enumerate(report.changes, 1)
    ]


def ledger_table(report: DreamReport) -> list[dict[str, Any]]:
    """One row for each entry of the input store, those that change first."""
    return [
        {
            "entry": plain(line.entry_id),
            "memory": plain(line.path),
            "fate": line.fate,
            "change_id": line.change_id,
            "why": plain(line.reason, 300),
        }
        for line in sorted(report.ledger.lines, key=lambda line: line.fate == "kept")
    ]


def sample_refusals(refusals: Iterable[Refusal], each: int = 20) -> list[Refusal]:
    """The first so many refusals of each gate: a report holds examples, and counts of all."""
    taken: dict[str, int] = {}
    sample: list[Refusal] = []
    for refusal in refusals:
        taken[refusal.gate] = taken.get(refusal.gate, 0) + 1
        if taken[refusal.gate] <= each:
            sample.append(refusal)
    return sample


def next_commands(report: DreamReport) -> list[str]:
    """What to type next."""
    dream_id, store = shlex.quote(report.dream.dream_id), shlex.quote(report.dream.store_name)
    held = [number for number, change in enumerate(report.changes, 1) if change.status == "held"]
    commands: list[str] = []
    if held:
        some = ",".join(map(str, held[:2]))
        commands = [
            f"agentflows review show {dream_id}",
            f"agentflows review approve {dream_id}",
            f"agentflows review approve {dream_id} --only {some}",
            f'agentflows review reject {dream_id} --only {held[-1]} --reason "…"',
        ]
    commands.append(f"agentflows memory history --store {store}")
    if report.dream.output_version is not None:
        base = report.dream.base_version
        commands.append(f"agentflows memory restore {base} --store {store}")
    return commands


# -- sections ----------------------------------------------------------------------------------------


def _head(report: DreamReport) -> list[str]:
    dream = report.dream
    model = f" with {code(dream.model)}" if dream.model else ""
    lines = [
        f"# Dream {code(dream.dream_id)} over the store {code(dream.store_name)}",
        (
            f"**{dream.status}** · engine {code(dream.engine)}{model} · store version {dream.base_version} · "
            f"commit {code(dream.commit)} · output {code(dream.output)}"
        ),
    ]
    if dream.error:
        lines.append(f"**{inline(dream.error_type)}**: {inline(dream.error)}")
    if dream.instructions:
        lines.extend(["Instructions:", block(dream.instructions)])
    return lines


def _read(report: DreamReport) -> list[str]:
    coverage = report.coverage
    rows = [
        ("sessions in the archive", f"{coverage.archived:,}"),
        ("selected", f"{coverage.selected:,}"),
        ("read now", f"{coverage.read:,}"),
        ("from the cache of earlier dreams", f"{coverage.from_cache:,}"),
        ("failed", f"{coverage.failed:,}"),
        *([("left for a later dream", f"{coverage.unread:,}")] if coverage.unread else []),
        ("turns", f"{coverage.turns:,}"),
        ("lines set aside by the readers", f"{coverage.quarantined:,}"),
    ]
    failures = [f"- {inline(failure, 300)}" for failure in coverage.failures[:20]]
    more = len(coverage.failures) - len(failures)
    failures.extend([f"- … {more:,} more"] if more > 0 else [])
    return [
        "## What was read",
        _table(["what", "count"], rows),
        *(["\n".join(["Not read:", *failures])] if failures else []),
        *_shares(report),
    ]


def _shares(report: DreamReport) -> list[str]:
    """What the sessions that were read stand for, where not all were."""
    coverage = report.coverage
    if not coverage.unread:
        return []
    rows = [
        (inline(share.what), f"{share.read:,}", f"{share.of:,}", f"{share.read / max(1, share.of):.0%}")
        for share in coverage.shares
    ]
    return [
        f"The budget did not allow to read all. {unread_line(report)}",
        _table(["shown by the selected sessions", "by those that were read", "by all", "share"], rows),
    ]


def unread_line(report: DreamReport) -> str:
    """What was left unread, and how it is read."""
    coverage = report.coverage
    left = "1 session was" if coverage.unread == 1 else f"{coverage.unread:,} sessions were"
    return (
        f"{left} left unread: the same command reads those next that show most of what was not heard yet, with a "
        "budget of its own; what was read is not read again."
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    lines.extend(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)
    return "\n".join(lines)


def _changes(report: DreamReport) -> list[str]:
    if not report.changes:
        return ["## Proposed changes", "None."]
    counts: dict[str, int] = {}
    for change in report.changes:
        counts[change.status] = counts.get(change.status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    parts = [f"## Proposed changes ({len(report.changes)}: {told})"]
    for number, change in enumerate(report.changes, 1):
        if number <= MAX_CHANGES_SHOWN:
            parts.extend(in_full(number, change))
        else:
            parts.append(
                f"{number}\\. {change.op} · {inline(place(change))} — {inline(change.after or change.reason, 160)}"
            )
    return parts


def _replay(report: DreamReport) -> list[str]:
    """What the probes said, where some were run."""
    replay = report.replay
    if replay is None or not replay.probes:
        return []
    rows = [
        (
            inline(one.probe),
            one.verdict,
            f"{sum(run.result == 'pass' for run in one.present)}/{len(one.present)}",
            f"{sum(run.result == 'pass' for run in one.candidate)}/{len(one.candidate)}",
            inline(one.why, 300),
        )
        for one in replay.probes
    ]
    line = f"{replay.line[0].upper()}{replay.line[1:]}. {count(replay.runs, 'run')} now, {replay.known:,} known from earlier."
    columns = ["probe", "verdict", "passes with the present memory", "with the candidate", "why"]
    return ["## Replay", line, _table(columns, rows)]


def _ledger(report: DreamReport) -> list[str]:
    counts = report.ledger.counts
    if not counts:
        return ["## Ledger", "The store had no entries."]
    rows = [*sorted(counts.items()), ("**all entries**", sum(counts.values()))]
    return ["## Ledger", _table(["fate of the store's entries", "count"], rows)]


def _refused(report: DreamReport) -> list[str]:
    if not report.refused:
        return ["## Refused by gates", "Nothing."]
    rows = [(inline(gate), f"{count:,}") for gate, count in sorted(report.refused.items())]
    samples: list[str] = []
    for gate in sorted(report.refused):
        of_gate = [refusal for refusal in report.refusals if refusal.gate == gate]
        samples.extend(_sample(refusal) for refusal in of_gate[:_SAMPLES_EACH])
    shown = ["\n".join(["Examples:", "", *samples])] if samples else []
    return ["## Refused by gates", _table(["gate", "count"], rows), *shown]


def _sample(refusal: Refusal) -> str:
    where = f" ({code(refusal.session_id)})" if refusal.session_id else ""
    return (
        f"- **{inline(refusal.gate)}**: “{inline(refusal.claim, 200)}” — {inline(refusal.reason, 300)}{where}"
    )


def _patterns(patterns: Sequence[Pattern]) -> list[str]:
    if not patterns:
        return ["## Patterns", "None with enough support."]
    rows = [
        (
            pattern.kind,
            inline(pattern.claim, 200),
            len(pattern.sessions),
            max(pattern.counted, len(pattern.sessions)),
            len(pattern.sessions_against),
            pattern.origins,
            pattern.trust,
        )
        for pattern in patterns[:_MAX_PATTERNS]
    ]
    more = len(patterns) - len(rows)
    table = _table(["kind", "claim", "read", "counted", "against", "sources", "trust"], rows)
    return [f"## Patterns ({len(patterns)})", table, *([f"… {more:,} more."] if more else [])]


def _cost(report: DreamReport) -> list[str]:
    cost = report.cost
    if not cost.calls:
        return ["## Cost", "No model was called."]
    usage = cost.usage
    sent = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    rows = [
        ("calls", f"{cost.calls:,}"),
        ("tokens in", f"{sent:,} ({usage.cache_read_tokens:,} of them read from cache)"),
        ("tokens out", f"{usage.output_tokens:,}"),
        ("tokens of the transcripts, sent whole", f"{cost.raw_tokens:,}"),
        ("dollars at list price", f"{cost.dollars:.4f} (estimated before: {cost.estimated_dollars:.4f})"),
    ]
    return ["## Cost", _table([f"model {code(cost.model)}", ""], rows)]


def _notes(report: DreamReport) -> list[str]:
    if not report.notes:
        return []
    return ["## Notes", "\n".join(f"- {inline(note)}" for note in report.notes)]


def _next(report: DreamReport) -> list[str]:
    held = any(change.status == "held" for change in report.changes)
    in_prefect = (
        f"Or in Prefect: run the deployment {code('review/review')} with {code('dream_id')} = {code(report.dream.dream_id)}, and "
        "press Resume on the page of that run. A dream that was deployed has started one: it is linked among its artifacts."
    )
    return ["## Next", block("\n".join(next_commands(report)), "sh"), *([in_prefect] if held else [])]
