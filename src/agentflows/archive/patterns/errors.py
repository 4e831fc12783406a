"""What goes wrong again and again, and what was seen to work afterwards."""

from agentflows.archive.answers import PatternQuery

ERROR_SIGNATURES = PatternQuery(
    name="error_signatures",
    title="Recurring errors",
    description=(
        "Errors that tools gave back, with paths, numbers and names replaced by placeholders so that equal "
        "errors count together, by the number of sessions they struck. Where sessions say how they ended, "
        "`lift_failure` compares the failure rate of the sessions with this error with that of all "
        "sessions; the interval is Wilson's at 95 %. An error is not always a mistake: a test that fails "
        "during test-first work is meant to."
    ),
    columns={
        "tool": "the tool that failed",
        "head": "what the call did: the meaningful words of a shell command, else the tool",
        "err_sig": "the error's signature",
        "sessions": "distinct root sessions with it",
        "origins": "distinct native events behind it: copies in resumed sessions count once",
        "occurrences": "how often in all",
        "failed_sessions": "of `sessions`, how many ended in failure",
        "succeeded_sessions": "of `sessions`, how many ended in success",
        "p_fail": "failure rate of the labelled sessions with it",
        "p_fail_low": "lower end of the 95 % interval",
        "p_fail_high": "upper end of the 95 % interval",
        "lift_failure": "`p_fail` over the failure rate of all labelled sessions",
        "first_at": "first seen (UTC)",
        "last_at": "last seen (UTC)",
        "example": "the error's text, cut",
        "addresses": "up to five results that show it, one per session",
    },
    sql="""
WITH per AS (
    SELECT tool, head, err_sig, root_id, count(*) AS n, min(ts) AS first_at, max(ts) AS last_at,
           list(DISTINCT coalesce(nullif(origin, ''), session_id || '#' || seq)) AS origins,
           arg_min(session_id || '#' || result_seq, (session_id, seq)) AS address,
           arg_min(body, (session_id, seq)) AS body
    FROM steps WHERE is_error GROUP BY ALL
), base AS (
    SELECT count(*) FILTER (verdict = 'failure') AS failed,
           count(*) FILTER (verdict <> 'unknown') AS labelled FROM roots
), counted AS (
    SELECT tool, head, err_sig, count(*) AS sessions,
           len(list_distinct(flatten(list(origins)))) AS origins, sum(n)::BIGINT AS occurrences,
           count(*) FILTER (verdict = 'failure') AS failed_sessions,
           count(*) FILTER (verdict = 'success') AS succeeded_sessions,
           min(per.first_at) AS first_at, max(per.last_at) AS last_at,
           left(arg_min(body, address), 400) AS example,
           list(address ORDER BY per.first_at, address)[1:5] AS addresses
    FROM per JOIN roots USING (root_id) GROUP BY tool, head, err_sig
)
SELECT tool, head, err_sig, sessions, origins, occurrences, failed_sessions, succeeded_sessions,
       failed_sessions / nullif(failed_sessions + succeeded_sessions, 0) AS p_fail,
       wilson_low(failed_sessions, failed_sessions + succeeded_sessions) AS p_fail_low,
       wilson_high(failed_sessions, failed_sessions + succeeded_sessions) AS p_fail_high,
       (failed_sessions / nullif(failed_sessions + succeeded_sessions, 0))
           / nullif(failed / nullif(labelled, 0), 0) AS lift_failure,
       first_at, last_at, example, addresses
FROM counted, base
ORDER BY sessions DESC, occurrences DESC, tool, head, err_sig
""",
    moments="""
SELECT 'error' AS kind, concat_ws(chr(31), tool, head, err_sig) AS key, head || ': ' || err_sig AS label, root_id
FROM steps WHERE is_error
""",
)

_FIXES = """
WITH words AS (
    SELECT * EXCLUDE (project, task, verdict, args, origin),
           regexp_extract_all(regexp_replace(
               regexp_replace(left(input, 600), '"description": ?"[^"]*"', ' ', 'g'),
               '"[A-Za-z_]+":', ' ', 'g'), '[\\w./-]*[A-Za-z][\\w./-]*') AS used
    FROM steps
    WHERE (session_id, tool) IN (SELECT (session_id, tool) FROM steps WHERE is_error)
), pairs AS (
    SELECT bad.session_id, bad.root_id, bad.thread, bad.tool, bad.head, bad.err_sig, bad.body,
           bad.seq, bad.result_seq, bad.step, bad.input, good.seq AS good_seq, good.step AS good_step,
           good.head AS good_head, good.input AS good_input, bad.input_hash = good.input_hash AS same
    FROM words bad JOIN words good
      ON good.session_id = bad.session_id AND good.thread = bad.thread AND good.tool = bad.tool
     AND good.step > bad.step AND good.step <= bad.step + 12
    WHERE bad.is_error AND NOT good.is_error AND good.result_seq IS NOT NULL
      AND (bad.input_hash = good.input_hash
           OR (bad.head = good.head AND bad.head <> bad.tool)
           OR len(list_intersect(bad.used, good.used))
              >= greatest(1, CASE WHEN bad.head = good.head THEN 0.5 ELSE 0.8 END
                             * least(len(list_distinct(bad.used)), len(list_distinct(good.used)))))
), nearest AS (
    SELECT * FROM pairs
    QUALIFY row_number() OVER (PARTITION BY session_id, seq ORDER BY good_step) = 1
), fixes AS (
    SELECT * FROM nearest
    QUALIFY row_number() OVER (PARTITION BY session_id, good_seq, err_sig ORDER BY step DESC) = 1
), gaps AS (
    SELECT f.session_id, f.seq, string_agg(s.head, ' > ' ORDER BY s.step) AS between
    FROM fixes f JOIN steps s
      ON s.session_id = f.session_id AND s.thread = f.thread AND s.step > f.step AND s.step < f.good_step
    GROUP BY f.session_id, f.seq
), struck AS (
    SELECT tool, head, err_sig, count(DISTINCT root_id) AS error_sessions
    FROM steps WHERE is_error GROUP BY ALL
), told AS (
    SELECT f.* EXCLUDE (same), CASE WHEN same THEN 'same_input' ELSE 'changed_input' END AS change,
           coalesce(g.between, '') AS between,
           row_number() OVER (PARTITION BY root_id, tool, head, err_sig, same, good_head
                              ORDER BY session_id, seq) = 1 AS shown
    FROM fixes f LEFT JOIN gaps g USING (session_id, seq)
)"""
"""Each failure with the next step that worked (`told`)."""

ERROR_FIXES = PatternQuery(
    name="error_fixes",
    title="What followed an error and worked",
    description=(
        "For each error, the next successful step of the same tool, within twelve steps of the same "
        "thread, that did the same thing again: with the same input, with the same kind of command, or "
        "with an input that shares half of its words (for another command: four in five). `change` says which. With an unchanged "
        "input, the remedy is what happened in between (`between`). That it followed does not prove that "
        "it was the cause; count sessions."
    ),
    columns={
        "tool": "the tool that failed and then worked",
        "head": "what the failed call did",
        "err_sig": "the error's signature",
        "change": "`same_input` or `changed_input`",
        "fix_head": "what the call that worked did",
        "sessions": "distinct root sessions in which it went so",
        "error_sessions": "distinct root sessions with this error at all",
        "share": "`sessions` over `error_sessions`",
        "occurrences": "how often in all",
        "median_gap": "steps from the failure to the success; 1 is the very next",
        "between": "the most frequent steps in between, in order; empty for none",
        "before_input": "an example's failed input, cut",
        "after_input": "the same example's input that worked, cut",
        "error": "the same example's error, cut",
        "before_address": "where the example failed (the result)",
        "after_address": "where it worked (the call)",
        "addresses": "up to five failures fixed this way, one per session",
    },
    sql=f"""{_FIXES}
SELECT tool, head, err_sig, change, good_head AS fix_head,
       count(DISTINCT root_id) AS sessions, any_value(error_sessions) AS error_sessions,
       count(DISTINCT root_id) / any_value(error_sessions) AS share, count(*) AS occurrences,
       median(good_step - step) AS median_gap, mode(between ORDER BY between) AS between,
       left(arg_min(input, (session_id, seq)), 600) AS before_input,
       left(arg_min(good_input, (session_id, seq)), 600) AS after_input,
       left(arg_min(body, (session_id, seq)), 400) AS error,
       arg_min(session_id || '#' || result_seq, (session_id, seq)) AS before_address,
       arg_min(session_id || '#' || good_seq, (session_id, seq)) AS after_address,
       list(session_id || '#' || result_seq ORDER BY session_id, seq) FILTER (shown)[1:5] AS addresses
FROM told JOIN struck USING (tool, head, err_sig)
GROUP BY tool, head, err_sig, change, good_head
ORDER BY sessions DESC, occurrences DESC, tool, head, err_sig, change, fix_head
""",
    moments=f"""{_FIXES}
SELECT 'fix' AS kind, concat_ws(chr(31), tool, head, err_sig, change, good_head) AS key,
       good_head || ' after ' || head || ': ' || err_sig AS label, root_id FROM told
""",
)

_LOOPS = """
WITH same_input AS (
    SELECT 'same_input' AS kind, tool, any_value(head) AS head, NULL::VARCHAR AS err_sig, session_id,
           any_value(root_id) AS root_id, count(*) AS times, count(*) FILTER (is_error) AS errors,
           min(seq) AS first_seq, max(seq) AS last_seq, left(any_value(input), 400) AS input
    FROM steps GROUP BY session_id, thread, tool, input_hash HAVING count(*) >= 3
), marked AS (
    SELECT *, row_number() OVER (PARTITION BY session_id, thread ORDER BY step)
            - row_number() OVER (PARTITION BY session_id, thread, err_sig ORDER BY step) AS island
    FROM steps
    WHERE session_id IN (
        SELECT session_id FROM steps WHERE is_error GROUP BY session_id, err_sig HAVING count(*) >= 3)
), same_error AS (
    SELECT 'same_error' AS kind, tool, any_value(head) AS head, err_sig, session_id,
           any_value(root_id) AS root_id, count(*) AS times, count(*) AS errors,
           min(seq) AS first_seq, max(seq) AS last_seq, left(arg_min(input, step), 400) AS input
    FROM marked WHERE is_error GROUP BY session_id, thread, tool, err_sig, island HAVING count(*) >= 3
), loops AS (
    SELECT * FROM same_input UNION ALL SELECT * FROM same_error
)"""
"""Every loop (`loops`)."""

RETRY_LOOPS = PatternQuery(
    name="retry_loops",
    title="Retry loops",
    description=(
        "Places where an agent went in circles: the same tool with the very same input three times or "
        "more in one session (`same_input`), or the same error three times or more in a row "
        "(`same_error`). Asking again for something that changes, such as a build's state, also looks so."
    ),
    columns={
        "kind": "`same_input` or `same_error`",
        "tool": "the tool that was repeated",
        "head": "what the calls did",
        "err_sig": "the error's signature, for `same_error`",
        "session_id": "the session",
        "root_id": "the session it counts for",
        "times": "how often",
        "errors": "how many of these gave an error",
        "first_seq": "the first call",
        "last_seq": "the last call",
        "input": "the first call's input, cut",
        "sessions": "distinct root sessions with a loop of this kind over this head (and error)",
        "verdict": "how the root session ended",
    },
    sql=f"""{_LOOPS}, support AS (
    SELECT kind, head, err_sig, count(DISTINCT root_id) AS sessions FROM loops GROUP BY ALL
)
SELECT loops.kind, tool, loops.head, loops.err_sig, session_id, root_id, times, errors, first_seq,
       last_seq, input, support.sessions, roots.verdict
FROM loops JOIN support ON support.kind = loops.kind AND support.head = loops.head
      AND support.err_sig IS NOT DISTINCT FROM loops.err_sig
     JOIN roots USING (root_id)
ORDER BY support.sessions DESC, times DESC, session_id, first_seq
""",
    moments=f"""{_LOOPS}
SELECT 'loop' AS kind, concat_ws(chr(31), loops.kind, head, err_sig) AS key,
       head || coalesce(': ' || err_sig, ', the same again') AS label, root_id FROM loops
""",
)
