"""Values that change: what was true of a subject, and when."""

from agentflows.archive.answers import PatternQuery

_TOLD = """
WITH said AS (
    SELECT session_id, root_id, project, seq, ts, trust, coalesce(own, text) AS text FROM texts
    WHERE kind IN ('user', 'agent') AND trust >= 2 AND length(text) <= 20000
      AND regexp_matches(text, '(?i)version|\\bv\\d|port\\b|timeout|instead of|renamed')
), matches AS (
    SELECT *, 'version' AS kind, unnest(regexp_extract_all(text,
        '(?i)\\b([a-z][\\w.+-]{1,30})(?: (?:version|v\\.?))? ?(?:is |to |= ?|: ?)?v?(\\d+\\.\\d+(?:\\.\\d+)?)\\b',
        ['subject', 'value'])) AS fact FROM said
    UNION ALL
    SELECT *, 'port', unnest(regexp_extract_all(text,
        '(?i)\\b(?:(?:the )?([a-z][\\w-]{2,30}) )?(?:(?:runs|listens|is|now) )*(?:on |at )?port(?: is| to|:|=)? ?(\\d{2,5})\\b',
        ['subject', 'value'])) FROM said
    UNION ALL
    SELECT *, 'timeout', unnest(regexp_extract_all(text,
        '(?i)\\b(?:([a-z][\\w-]{2,30}) )?timeout(?: is| of| to|:|=)* ?(\\d+ ?(?:ms|s|sec|seconds|m|min|minutes))\\b',
        ['subject', 'value'])) FROM said
    UNION ALL
    SELECT *, 'replaced', unnest(regexp_extract_all(text,
        '(?i)\\buse `?([\\w@./:-]+(?: [\\w@./:-]+){0,2})`? instead of `?([\\w@./:-]+(?: [\\w@./:-]+){0,2}?)`?(?:[\\s.,;!?)]|$)',
        ['value', 'subject'])) FROM said
    UNION ALL
    SELECT *, 'replaced', unnest(regexp_extract_all(text,
        '(?i)\\brenamed `?([\\w@./:-]+)`? (?:to|into|as) `?([\\w@./:-]*[\\w])`?', ['subject', 'value'])) FROM said
), facts AS (
    SELECT session_id, root_id, project, seq, ts, trust, kind,
           lower(trim(fact.subject)) AS subject, lower(replace(trim(fact.value), ' ', '')) AS value
    FROM matches WHERE kind <> 'replaced'
    UNION ALL
    SELECT session_id, root_id, project, seq, ts, trust, kind, lower(trim(fact.subject, ' .:,')), trim(fact.value, ' .:,')
    FROM matches WHERE kind = 'replaced'
), grouped AS (
    SELECT kind, subject, project, value, count(DISTINCT root_id) AS sessions,
           count(DISTINCT root_id) FILTER (trust = 3) AS user_sessions, min(ts) AS first_at,
           max(ts) AS last_at, list(session_id || '#' || seq ORDER BY ts, session_id, seq)[1:3] AS addresses
    FROM facts
    WHERE NOT (kind = 'version' AND subject IN ('version', 'and', 'or', 'to', 'from', 'about', 'than', 'is', 'the', 'of',
        'at', 'in', 'by', 'for', 'with', 'section', 'step', 'approximately', 'roughly', 'only', 'took'))
    GROUP BY kind, subject, project, value
), told AS (
    SELECT *, max(last_at) OVER s AS latest, count(*) OVER s AS values, sum(sessions) OVER s AS said
    FROM grouped WINDOW s AS (PARTITION BY kind, subject, project)
)"""
"""Each statement (`facts`), and each value of each subject (`told`)."""

FACTS_OVER_TIME = PatternQuery(
    name="facts_over_time",
    title="Values that changed over time",
    description=(
        "Versions, ports, timeouts and replaced names that users and agents stated in plain sentences, "
        "where one subject took two values or more. Read by pattern, so modest: it sees `Node version "
        "20.1`, `port 8080`, `timeout of 30 s` and `use X instead of Y`, and takes the word before as the "
        "subject. A later value is not always a newer truth; look at the addresses."
    ),
    columns={
        "kind": "`version`, `port`, `timeout` or `replaced`",
        "subject": "what the value is about, lower case; within one project",
        "project": "the sessions' project",
        "value": "the value; for `replaced`, what to use",
        "sessions": "distinct root sessions that state it",
        "user_sessions": "of these, where a user typed it",
        "first_at": "first stated (UTC)",
        "last_at": "last stated (UTC)",
        "is_latest": "whether no other value of the subject was stated later",
        "values": "how many values the subject took",
        "addresses": "up to three statements",
    },
    sql=f"""{_TOLD}
SELECT kind, subject, project, value, sessions, user_sessions, first_at, last_at,
       last_at IS NOT DISTINCT FROM latest AS is_latest, values, addresses
FROM told WHERE values > 1 OR kind = 'replaced'
ORDER BY said DESC, kind, subject, project, first_at, value
""",
    moments=f"""{_TOLD}
SELECT kind, concat_ws(chr(31), subject, project, value) AS key,
       subject || ' → ' || value || coalesce(' · ' || nullif(project, ''), '') AS label, root_id
FROM facts JOIN told USING (kind, subject, project, value) WHERE values > 1 OR kind = 'replaced'
""",
)
