"""What a dream says: observations with quotes, patterns over sessions, changes to a store, the ledger.

The chain is the product's promise: a change rests on a pattern, a pattern on observations, an
observation on quotes, and a quote is found verbatim in the archive or it does not exist.
"""

import hashlib
import json
from collections import Counter
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentflows.form import may_be_empty
from agentflows.replay import Replay
from agentflows.session import Trust, TurnKind, Usage

ObservationKind = Literal["error", "correction", "preference", "workflow", "fact", "outcome"]
"""What a session taught.

* `error`: something failed and, if seen, what fixed it
* `correction`: the user set the agent right about this piece of work
* `preference`: the user said how things are to be done from now on
* `workflow`: steps that were taken in this order
* `fact`: something that holds about the project, dated
* `outcome`: something that separates sessions that succeeded from sessions that failed
"""

ChangeOp = Literal["add", "reinforce", "merge", "supersede", "narrow", "retire", "flag"]
"""What is to happen to a store.

* `add`: a new entry; `reinforce`: more evidence for an entry, its text unchanged
* `merge`: several entries that say the same become one; `supersede`: a newer truth replaces an entry
* `narrow`: an entry keeps what holds and gains its exception; `retire`: an entry is removed
* `flag`: a person should look; nothing is written
"""

ChangeStatus = Literal[
    "proposed", "refused", "held", "approved", "rejected", "committed", "replaced", "expired"
]
"""`refused` by a gate in code; `held` for a person; `approved` or `rejected` by one; `committed` is
in the store; `replaced` by a later dream's change; `expired` because its base moved or time ran out."""

Risk = Literal[
    "deletes",
    "contradicts",
    "instruction_like",
    "action_bearing",
    "low_trust",
    "single_support",
    "about_review",
    "mass_prune",
    "uncertain",
    "flips_probe",
    "untested",
]
"""Why a change waits for a person even under `commit="auto"`."""

Fate = Literal["kept", "reinforced", "merged", "superseded", "narrowed", "retired", "flagged"]

DreamStatus = Literal["pending", "running", "completed", "failed", "canceled"]
"""The hosted API's. `completed` says that the dream ended, not that its changes are in the store."""

FATE_OF: dict[ChangeOp, Fate] = {
    "reinforce": "reinforced",
    "merge": "merged",
    "supersede": "superseded",
    "narrow": "narrowed",
    "retire": "retired",
    "flag": "flagged",
}


def identity(*parts: object) -> str:
    """A short stable id over its parts: 16 hex of a sha256 over their JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Quote(BaseModel):
    """Words of a session, at their address."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    seq: int
    start: int
    end: int
    """`turn.text[start:end] == text`, in characters of the redacted turn."""
    text: str
    sha256: str
    """Of `text`."""
    trust: Trust
    """The lowest trust of any character in it, by turn and by span."""
    kind: TurnKind
    root_id: str = ""
    """The session it counts for: the parent's for a sub-agent, else its own."""
    origin: str = ""
    """What makes it independent evidence: quotes of one origin count once."""
    at: datetime | None = None

    @property
    def address(self) -> str:
        """`session_id#seq`."""
        return f"{self.session_id}#{self.seq}"


class Observation(BaseModel):
    """Something one session taught."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    root_id: str
    kind: ObservationKind
    subject: str
    """What it is about, such as `rtk bun` or `changelog`; with `attribute` and `scope` it decides
    which observations say the same thing."""
    attribute: str
    scope: str = ""
    """Where it holds: a project, a tool, an environment. Different scopes never merge."""
    claim: str
    """One or two sentences a future agent can act on."""
    when: str = ""
    when_not: str = ""
    stance: Literal["for", "against"] = "for"
    value: str = ""
    """What the attribute is said to be, where observations may disagree (a number, a command)."""
    said_outright: bool = False
    """A user asked for it as a standing rule: one session is then support enough."""
    quotes: tuple[Quote, ...]
    at: datetime | None = None
    stats: dict[str, float] = {}

    @property
    def key(self) -> str:
        """What clusters: subject, attribute, scope and kind, case and space folded."""
        parts = (self.kind, self.subject, self.attribute, self.scope)
        return "|".join(" ".join(part.lower().split()) for part in parts)


class Pattern(BaseModel):
    """Observations of distinct sessions that say the same thing. All counts are made by code."""

    model_config = ConfigDict(frozen=True)

    pattern_id: str
    key: str
    kind: ObservationKind
    subject: str
    attribute: str
    scope: str = ""
    claim: str
    when: str = ""
    when_not: str = ""
    value: str = ""
    said_outright: bool = False
    sessions: tuple[str, ...]
    """Distinct root sessions for it, sorted."""
    counted: int = 0
    """Distinct root sessions, of all selected ones, read or not, that show the same mined signal (the same error, the
    same words of a user); at least as many as `sessions`. 0 where nothing mined matches."""
    sessions_against: tuple[str, ...] = ()
    origins: int
    """Independent origins for it: copies of one text count once."""
    user_origins: int = 0
    """Of those, how many a user typed."""
    trust: Trust
    """The lowest tier of what its claim rests on (low-water mark)."""
    first_at: datetime | None = None
    last_at: datetime | None = None
    quotes: tuple[Quote, ...]
    """The strongest few; every session in `sessions` has at least one in the archive."""
    stats: dict[str, float] = {}
    """Numbers the claim uses: counts, rates, lift, intervals, p-values. Units in the name."""


class Change(BaseModel):
    """One proposed edit to a store."""

    model_config = ConfigDict(frozen=True)

    change_id: str
    """`chg_` and 16 hex, derived from dream, op, place and text: the same proposal has the same id."""
    dream_id: str
    op: ChangeOp
    path: str
    """The memory it edits or creates."""
    entry_ids: tuple[str, ...] = ()
    """The entries it is about, in the base version. Empty for `add`."""
    heading: str = ""
    """For `add`: the heading it belongs under; made at the end of the file where it is missing."""
    before: str | None = None
    """The text of the first entry (of all, joined by blank lines, for `merge`)."""
    after: str | None = None
    """The entry's new text; None where nothing is written or the entry goes."""
    reason: str
    pattern_id: str = ""
    pattern_key: str = ""
    support: int = 0
    """Distinct sessions for it."""
    counted: int = 0
    """See `Pattern.counted`."""
    support_against: int = 0
    origins: int = 0
    trust: Trust = 1
    quotes: tuple[Quote, ...] = ()
    risks: tuple[Risk, ...] = ()
    stats: dict[str, float] = {}
    status: ChangeStatus = "proposed"
    status_reason: str = ""

    @property
    def sha256(self) -> str:
        """What an approval binds: place, texts and quotes. Status and counts are not part of it."""
        body = [self.op, self.path, self.entry_ids, self.heading, self.before, self.after]
        quoted = [(quote.address, quote.start, quote.end, quote.sha256) for quote in self.quotes]
        return hashlib.sha256(json.dumps([body, quoted]).encode()).hexdigest()

    @property
    def memo_key(self) -> str:
        """What a rejection is remembered by: the same idea for the same place, whatever its counts."""
        return identity(self.op, self.path, self.entry_ids, self.pattern_key or self.after)


class LedgerLine(BaseModel):
    """What became of one entry of the input."""

    model_config = ConfigDict(frozen=True)

    entry_id: str
    path: str
    fate: Fate
    change_id: str = ""
    reason: str = ""


class Ledger(BaseModel):
    """What became of every entry of the input store."""

    model_config = ConfigDict(frozen=True)

    lines: tuple[LedgerLine, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many entries met each fate."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[line.fate] = counts.get(line.fate, 0) + 1
        return counts

    def imbalance(self, entry_ids: list[str]) -> str:
        """Why it does not balance against the input's entries; "" when it does."""
        ours, theirs = Counter(line.entry_id for line in self.lines), Counter(entry_ids)
        if ours == theirs:
            return ""
        missing, extra = sorted((theirs - ours).elements()), sorted((ours - theirs).elements())
        return f"{len(missing)} entries without a line {missing[:3]}, {len(extra)} lines without an entry {extra[:3]}"


class Refusal(BaseModel):
    """Something a gate in code did not let through."""

    model_config = ConfigDict(frozen=True)

    gate: str
    """Which gate: `quote_verbatim`, `whole_sentence`, `negation`, `specifics`, `support`, `trust`,
    `stratified_lift`, `rejected_before`, `size`, `secret`, …"""
    reason: str
    claim: str
    session_id: str = ""
    key: str = ""


class Share(BaseModel):
    """How much of something the sessions that were read show."""

    model_config = ConfigDict(frozen=True)

    what: str
    read: int
    """Shown by at least one session that was read, now or by an earlier dream."""
    of: int
    """Shown by all selected sessions."""


class Coverage(BaseModel):
    """What was read, so that nobody has to believe it."""

    model_config = ConfigDict(frozen=True)

    archived: int
    """Sessions in the archive."""
    selected: int
    """Sessions this dream was asked to read."""
    read: int
    """Of those, read now."""
    from_cache: int
    """Of those, read by an earlier dream with the same extractor: not paid again."""
    failed: int = 0
    failures: tuple[str, ...] = ()
    unread: int = 0
    """Selected and left for a later dream, because the budget allowed no more."""
    shares: tuple[Share, ...] = ()
    """Where some are left unread: what those that were read cover."""
    turns: int = 0
    quarantined: int = 0
    """Lines the readers set aside in the archive as a whole."""


class Cost(BaseModel):
    """What a dream spent."""

    model_config = ConfigDict(frozen=True)

    model: str = ""
    calls: int = 0
    usage: Usage = Usage()
    dollars: float = 0.0
    estimated_dollars: float = 0.0
    raw_tokens: int = 0
    """Tokens of the selected transcripts if they were sent whole, estimated."""


class Dream(BaseModel):
    """One run over one store and many sessions; the hosted `Dream`'s fields and statuses, and more."""

    model_config = ConfigDict(frozen=True)

    dream_id: str
    """`drm_` and 16 hex over store, base version, sessions, engine, instructions: the same dream twice
    is one dream."""
    status: DreamStatus
    store_id: str
    store_name: str
    base_version: int
    base_sha256: str
    session_ids: tuple[str, ...] = ()
    engine: str
    """`rules/<version>` or `claude/<version>`."""
    model: str = ""
    instructions: str = ""
    commit: Literal["review", "auto"] = "review"
    output: Literal["create_new", "update_existing"] = "update_existing"
    output_store_id: str = ""
    output_version: int | None = None
    """The store version it made; None while nothing is committed."""
    error_type: str = ""
    error: str = ""
    created_at: datetime
    ended_at: datetime | None = None
    archived_at: datetime | None = None


class DreamReport(BaseModel):
    """All a dream has to say: what artifacts, Markdown and `--json` are rendered from."""

    model_config = ConfigDict(frozen=True)

    dream: Dream
    changes: tuple[Change, ...] = ()
    ledger: Ledger = Ledger()
    coverage: Coverage
    patterns: tuple[Pattern, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """A sample of what the gates refused; `refused` has the full counts."""
    refused: dict[str, int] = {}
    cost: Cost = Cost()
    notes: tuple[str, ...] = ()
    """What a reader must know: which engine and why, what this engine cannot judge."""
    replay: Replay | None = None
    """What probes said of the changes; None where none were run."""


class Decision(BaseModel):
    """What a person (or an opted-in policy) decided about one change. It commits once."""

    model_config = ConfigDict(frozen=True)

    decision_id: str
    change_id: str
    change_sha256: str
    base_version: int
    verdict: Literal["approved", "rejected"]
    edited_after: str | None = None
    """The reviewer's own text; the decision then binds a change with that text."""
    reviewer: str
    """Who: a login, a name; for an auto commit the policy's name and who enabled it."""
    reason: str = ""
    decided_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class Budget(BaseModel):
    """Ceilings for one run. None is no ceiling."""

    model_config = ConfigDict(frozen=True)

    dollars: float | None = Field(
        default=None,
        ge=0,
        title="Dollars",
        description="At list price; empty is no ceiling",
        json_schema_extra=may_be_empty,
    )
    tokens: int | None = Field(
        default=None,
        ge=0,
        title="Tokens",
        description="Input and output; empty is no ceiling",
        json_schema_extra=may_be_empty,
    )

    def over(self, earlier: "Budget") -> "Budget":
        """The earlier ceilings with these in their place; one that is None here stays as it was."""
        return earlier.model_copy(update=self.model_dump(exclude_none=True))
