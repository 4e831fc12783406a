"""Impact: did sessions go better or worse with a memory? Rates before and after each version, with intervals.

measure(…)        from the archive and the state database, version by version; writes nothing
record(…)         keeps which versions made things worse, until a restore undoes them
compare(…)        the same from words alone
markdown(…)       a page to read; `success_of(…)` what its picture is drawn from
"""

from agentflows.impact.compare import MINIMUM, Against, buckets, compare, points
from agentflows.impact.flagging import flag_line, flag_notes, record, worse_notes
from agentflows.impact.measure import Scope, measure
from agentflows.impact.page import (
    lost_too,
    markdown,
    named,
    notes,
    restore_command,
    share,
    table,
    timeline,
)
from agentflows.impact.picture import success_of
from agentflows.impact.rates import Difference, Rate, mantel_haenszel, newcombe, wilson
from agentflows.impact.words import Bucket, Ended, Impact, Step, Stratum, Verdict, Version

__all__ = [
    "MINIMUM",
    "Against",
    "Bucket",
    "Difference",
    "Ended",
    "Impact",
    "Rate",
    "Scope",
    "Step",
    "Stratum",
    "Verdict",
    "Version",
    "buckets",
    "compare",
    "flag_line",
    "flag_notes",
    "lost_too",
    "mantel_haenszel",
    "markdown",
    "measure",
    "named",
    "newcombe",
    "notes",
    "points",
    "record",
    "restore_command",
    "share",
    "success_of",
    "table",
    "timeline",
    "wilson",
    "worse_notes",
]
