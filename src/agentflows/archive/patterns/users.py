"""What users say again and again: corrections, rules, requests. Only words they typed themselves."""

from agentflows.archive.answers import PatternQuery

_RULE = (
    r"\b(always|never|from now on|in (the )?future|going forward|every time|make sure (to|you|that)|"
    r"remember (to|that)|don''?t ever|we (always|never)|the rule is|must (always|never|not)|"
    r"immer|niemals|nie wieder|ab jetzt|künftig|in zukunft|toujours|jamais|désormais|siempre|nunca|"
    r"de ahora en adelante|sempre|mai più)\b|以后|总是|永远|不要再|今後|必ず"
)
_CORRECTION = (
    r"^\s*(no|nope|wrong|stop|wait|hold on|actually|not (that|like|quite|what)|nein|halt|falsch|doch nicht|"
    r"non|arrête|attends|faux|mal|espera|incorrecto|不对|不是|错|いいえ|違)\b|"
    r"\b(that''?s (wrong|not (right|what|how|correct))|(is|was) (wrong|incorrect)|not what i (asked|meant|wanted|said)|"
    r"i (said|told you|asked (you )?for|meant)|you (forgot|missed|broke|should(n''?t| not)? have|were supposed)|"
    r"should(n''?t| not) (be|have|use)|do ?n''?t (do|use|add|change|touch|run|make|commit|push|create|write|remove|delete)|"
    r"do not (do|use|add|change|touch|run|make|commit|push|create|write|remove|delete)|"
    r"instead of|rather than|use .{1,60} instead|please (use|revert|undo|stop)|revert (that|this|it)|undo|"
    r"why (did|are|have) you|das ist falsch|nicht so|statt(dessen)?|ich meinte|ce n''?est pas|au lieu de|"
    r"en lugar de|no es (lo que|así)|eso está mal)\b"
)

_FOUND = f"""
WITH typed AS (
    SELECT session_id, root_id, seq, coalesce(own, text) AS text, work_before, project, origin, ts,
           trim(regexp_replace(lower(coalesce(own, text)), '[^\\pL\\pN]+', ' ', 'g')) AS folded
    FROM texts
    WHERE kind = 'user' AND trust = 3 AND length(trim(coalesce(own, text))) BETWEEN 2 AND 700
), judged AS (
    SELECT *, CASE WHEN regexp_matches(text, '(?i){_RULE}') THEN 'rule'
                   WHEN work_before > 0 AND regexp_matches(text, '(?i){_CORRECTION}') THEN 'correction' END AS kind
    FROM typed
), found AS (SELECT * FROM judged WHERE kind IS NOT NULL)"""
"""Each correction and each rule (`found`)."""

USER_CORRECTIONS = PatternQuery(
    name="user_corrections",
    title="Corrections and rules in the user's own words",
    description=(
        "Short messages a user typed (trust 3; pastes, recalled and injected text left out) that set the "
        "agent right after it had worked, or that set a rule for the future at any time. Found by words, "
        "in English and the commonest words of a few other languages: it nominates, it does not judge."
    ),
    columns={
        "kind": "`rule` (always, never, from now on …) or `correction`",
        "session_id": "the session",
        "root_id": "the session it counts for",
        "seq": "the user's turn",
        "text": "what the user typed, with anything else blanked out at unchanged positions",
        "after_work": "agent messages and tool calls since the user's last message; 0: nothing to correct yet",
        "tool_before": "what the agent did last before it",
        "seq_before": "where it did that",
        "project": "the session's project",
        "sessions": "distinct root sessions with the same words (case, space and punctuation folded)",
        "origin": "the native event: copies in resumed sessions share it",
        "ts": "when (UTC)",
    },
    sql=f"""{_FOUND},
before AS (
    SELECT f.session_id, f.seq, arg_max(s.head, s.seq) AS tool_before, max(s.seq) AS seq_before
    FROM found f JOIN steps s ON s.session_id = f.session_id AND s.seq < f.seq GROUP BY f.session_id, f.seq
), support AS (SELECT folded, count(DISTINCT root_id) AS sessions FROM found GROUP BY folded)
SELECT kind, session_id, root_id, seq, text, work_before AS after_work, tool_before, seq_before, project,
       sessions, origin, ts
FROM found LEFT JOIN before USING (session_id, seq) JOIN support USING (folded)
ORDER BY sessions DESC, kind DESC, ts, session_id, seq
""",
    moments=f"""{_FOUND}
SELECT kind, folded AS key, trim(text) AS label, root_id FROM found
""",
)

_FOLDED = """
WITH typed AS (
    SELECT session_id, root_id, seq, trim(coalesce(own, text)) AS text, project, origin, ts,
           seq = min(seq) OVER (PARTITION BY session_id) AS opening
    FROM texts
    WHERE kind = 'user' AND trust = 3 AND length(trim(coalesce(own, text))) BETWEEN 4 AND 300
), folded AS (
    SELECT *, trim(regexp_replace(regexp_replace(lower(text), '\\d+', '0', 'g'), '[^\\pL\\pN/]+', ' ', 'g')) AS request
    FROM typed
)"""
"""Each short message (`folded`)."""

REPEATED_REQUESTS = PatternQuery(
    name="repeated_requests",
    title="Requests that recur",
    description=(
        "Short messages that users typed in several sessions, with case, punctuation and numbers folded: "
        "what they ask for again and again, and might no longer have to."
    ),
    columns={
        "request": "the folded message",
        "example": "one of them as typed",
        "sessions": "distinct root sessions with it",
        "origins": "distinct native events: copies in resumed sessions count once",
        "occurrences": "how often in all",
        "opening": "how often it was the first message of its session",
        "projects": "distinct projects",
        "first_at": "first seen (UTC)",
        "last_at": "last seen (UTC)",
        "addresses": "up to five of them",
    },
    sql=f"""{_FOLDED}
SELECT request, arg_min(text, (session_id, seq)) AS example, count(DISTINCT root_id) AS sessions,
       count(DISTINCT coalesce(nullif(origin, ''), session_id || '#' || seq)) AS origins,
       count(*) AS occurrences, count(*) FILTER (opening) AS opening,
       count(DISTINCT project) AS projects, min(ts) AS first_at, max(ts) AS last_at,
       list(session_id || '#' || seq ORDER BY session_id, seq)[1:5] AS addresses
FROM folded WHERE length(request) >= 3
GROUP BY request HAVING count(DISTINCT root_id) >= 2
ORDER BY sessions DESC, occurrences DESC, request
""",
    moments=f"""{_FOLDED}
SELECT 'request' AS kind, request AS key, text AS label, root_id FROM folded WHERE length(request) >= 3
QUALIFY min(root_id) OVER (PARTITION BY request) <> max(root_id) OVER (PARTITION BY request)
""",
)
