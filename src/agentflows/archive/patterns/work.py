"""How the work goes: in which steps, with which tools, at what cost."""

from agentflows.archive.answers import PatternQuery

_GRAMS = """
WITH ahead AS (
    SELECT session_id, root_id, seq, head AS h1, lead(head, 1) OVER w AS h2, lead(head, 2) OVER w AS h3,
           lead(head, 3) OVER w AS h4, lead(head, 4) OVER w AS h5
    FROM steps WINDOW w AS (PARTITION BY session_id, thread ORDER BY step)
), grams AS (
    SELECT session_id, root_id, seq, 2 AS length, h1, h2, '' AS h3, '' AS h4, '' AS h5 FROM ahead
    WHERE h2 IS NOT NULL AND h1 <> h2
    UNION ALL SELECT session_id, root_id, seq, 3, h1, h2, h3, '', '' FROM ahead
    WHERE h3 IS NOT NULL AND (h1 <> h2 OR h2 <> h3)
    UNION ALL SELECT session_id, root_id, seq, 4, h1, h2, h3, h4, '' FROM ahead
    WHERE h4 IS NOT NULL AND (h1 <> h2 OR h2 <> h3 OR h3 <> h4)
    UNION ALL SELECT session_id, root_id, seq, 5, h1, h2, h3, h4, h5 FROM ahead
    WHERE h5 IS NOT NULL AND (h1 <> h2 OR h2 <> h3 OR h3 <> h4 OR h4 <> h5)
), per AS (
    SELECT length, h1, h2, h3, h4, h5, root_id, count(*) AS n, min((session_id, seq)) AS place
    FROM grams GROUP BY ALL
)"""
"""Each sequence of each root session (`per`)."""

TOOL_SEQUENCES = PatternQuery(
    name="tool_sequences",
    title="Tool sequences",
    description=(
        "Two to five steps that follow one another in at least two sessions, of at least two kinds. Where "
        "sessions say how they ended, the lift compares the rate with the sequence with the rate of all "
        "labelled sessions. It is not stratified by task; `outcome_features` is."
    ),
    columns={
        "sequence": "the steps, joined by ` > `; shell steps by their command",
        "length": "how many",
        "sessions": "distinct root sessions with it",
        "occurrences": "how often in all",
        "failed_sessions": "of `sessions`, how many ended in failure",
        "succeeded_sessions": "of `sessions`, how many ended in success",
        "lift_failure": "failure rate with it over that of all labelled sessions",
        "lift_success": "success rate with it over that of all labelled sessions",
        "p_success_low": "lower end of the 95 % interval of the success rate with it",
        "p_success_high": "upper end",
        "tasks": "distinct tasks among its sessions",
        "addresses": "up to three first steps, one per session",
    },
    sql=f"""{_GRAMS}, base AS (
    SELECT count(*) FILTER (verdict = 'failure') AS failed,
           count(*) FILTER (verdict = 'success') AS succeeded,
           count(*) FILTER (verdict <> 'unknown') AS labelled FROM roots
), counted AS (
    SELECT length, h1, h2, h3, h4, h5, count(*) AS sessions, sum(n)::BIGINT AS occurrences,
           count(*) FILTER (verdict = 'failure') AS failed_sessions,
           count(*) FILTER (verdict = 'success') AS succeeded_sessions,
           count(DISTINCT nullif(task, '')) AS tasks, min(place, 3) AS places
    FROM per JOIN roots USING (root_id) GROUP BY ALL HAVING count(*) >= 2
)
SELECT concat_ws(' > ', h1, h2, nullif(h3, ''), nullif(h4, ''), nullif(h5, '')) AS sequence,
       length, counted.sessions, occurrences, failed_sessions, succeeded_sessions,
       (failed_sessions / nullif(failed_sessions + succeeded_sessions, 0))
           / nullif(failed / nullif(labelled, 0), 0) AS lift_failure,
       (succeeded_sessions / nullif(failed_sessions + succeeded_sessions, 0))
           / nullif(succeeded / nullif(labelled, 0), 0) AS lift_success,
       wilson_low(succeeded_sessions, failed_sessions + succeeded_sessions) AS p_success_low,
       wilson_high(succeeded_sessions, failed_sessions + succeeded_sessions) AS p_success_high,
       tasks, list_transform(places, lambda p: p[1] || '#' || p[2]) AS addresses
FROM counted, base
ORDER BY counted.sessions DESC, length DESC, occurrences DESC, sequence
""",
    moments=f"""{_GRAMS}
SELECT 'sequence' AS kind, concat_ws(' > ', h1, h2, nullif(h3, ''), nullif(h4, ''), nullif(h5, '')) AS key,
       replace(key, ' > ', ' → ') AS label, root_id FROM per
QUALIFY count(*) OVER (PARTITION BY h1, h2, h3, h4, h5) >= 2
""",
)

COST_OUTLIERS = PatternQuery(
    name="cost_outliers",
    title="Sessions that cost far more than others",
    description=(
        "Root sessions whose tokens (characters where the log has no usage) lie more than 3 robust standard "
        "deviations from the median, on a log scale, among sessions measured the same way. At least eight "
        "such sessions are needed."
    ),
    columns={
        "root_id": "the session, its sub-agents included",
        "title": "its title",
        "project": "its project",
        "task": "its task",
        "verdict": "how it ended",
        "measure": "`tokens` or `chars`",
        "amount": "how much",
        "median": "of all sessions with this measure",
        "z": "robust z of the logarithm; positive is dearer",
        "turns": "turns, sub-agents included",
        "tool_calls": "tool calls",
        "errors": "tool errors",
        "started_at": "when it started (UTC)",
    },
    sql="""
WITH sized AS (
    SELECT root_id, max(title) FILTER (session_id = root_id) AS title, any_value(project) AS project,
           sum(tokens) AS tokens, sum(chars) AS chars, sum(turns)::BIGINT AS turns,
           sum(tool_calls)::BIGINT AS tool_calls, sum(errors)::BIGINT AS errors, min(started_at) AS started_at
    FROM sessions GROUP BY root_id
), measured AS (
    SELECT *, CASE WHEN tokens > 0 THEN 'tokens' ELSE 'chars' END AS measure,
           (CASE WHEN tokens > 0 THEN tokens ELSE chars END)::BIGINT AS amount FROM sized
), logs AS (SELECT *, ln(amount) AS size FROM measured WHERE amount > 0),
middle AS (
    SELECT measure, median(size) AS center, mad(size) AS spread, median(amount) AS median, count(*) AS n
    FROM logs GROUP BY measure
)
SELECT root_id, title, logs.project, roots.task, roots.verdict, measure, amount, median,
       (size - center) / (1.4826 * spread) AS z, turns, tool_calls, errors, logs.started_at
FROM logs JOIN middle USING (measure) JOIN roots USING (root_id)
WHERE n >= 8 AND spread > 0 AND abs((size - center) / (1.4826 * spread)) > 3
ORDER BY z DESC, root_id
""",
)

TOOL_USAGE = PatternQuery(
    name="tool_usage",
    title="Tools and commands in use",
    description="How often each tool and command is called, in how many sessions, and how often it fails.",
    columns={
        "tool": "the tool",
        "head": "what the calls do",
        "sessions": "distinct root sessions that used it",
        "calls": "calls in all",
        "errors": "of these, how many gave an error",
        "error_rate": "`errors` over `calls`",
        "error_rate_low": "lower end of the 95 % interval",
        "error_rate_high": "upper end",
        "last_at": "last used (UTC)",
    },
    sql="""
SELECT tool, head, count(DISTINCT root_id) AS sessions, count(*) AS calls,
       count(*) FILTER (is_error) AS errors, count(*) FILTER (is_error) / count(*) AS error_rate,
       wilson_low(count(*) FILTER (is_error), count(*)) AS error_rate_low,
       wilson_high(count(*) FILTER (is_error), count(*)) AS error_rate_high, max(ts) AS last_at
FROM steps GROUP BY tool, head
ORDER BY sessions DESC, calls DESC, tool, head
""",
    moments="""
SELECT 'tool' AS kind, concat_ws(chr(31), tool, head) AS key, head AS label, root_id FROM steps
""",
)

SESSION_COSTS = PatternQuery(
    name="session_costs",
    title="What sessions cost, by project and month",
    description="Tokens as the logs report them, sub-agents included. Sessions without usage count as 0 tokens.",
    columns={
        "project": "the project",
        "month": "the month in which the sessions started; empty when unknown",
        "sessions": "root sessions",
        "tokens": "all tokens",
        "output_tokens": "of these, written by the model",
        "cache_read_share": "share of input tokens that came from the cache",
        "median_tokens": "per session",
        "tool_calls": "tool calls",
        "errors": "tool errors",
    },
    sql="""
SELECT project, strftime(started_at, '%Y-%m') AS month, count(DISTINCT root_id) AS sessions,
       sum(tokens)::BIGINT AS tokens, sum(output_tokens)::BIGINT AS output_tokens,
       sum(cache_read_tokens) / nullif(sum(tokens - output_tokens), 0) AS cache_read_share,
       median(tokens) AS median_tokens, sum(tool_calls)::BIGINT AS tool_calls, sum(errors)::BIGINT AS errors
FROM sessions GROUP BY project, month
ORDER BY month DESC NULLS LAST, tokens DESC, project
""",
)
