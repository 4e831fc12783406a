"""What separates sessions that failed from sessions that succeeded."""

from agentflows.archive.answers import PatternQuery

_LABELLED = """labelled AS (
    SELECT roots.root_id, roots.project, roots.verdict = 'failure' AS failed,
           CASE WHEN roots.task <> '' THEN s.format || '/' || roots.task ELSE '' END AS task
    FROM roots JOIN sessions s ON s.session_id = roots.root_id WHERE roots.verdict <> 'unknown'
)"""
"""Root sessions that are known to have ended well or badly, each with its task."""

_BY_TASK = """by_task AS (
    SELECT project, task, count(*) AS n, count(*) FILTER (failed) AS fail FROM labelled GROUP BY project, task
)"""

_TABLES = """tables AS (
    SELECT cells.*, fail - a AS c, n - fail - b AS d, n,
           (a + b) * fail / n AS expected,
           (a + b) * (n - a - b) * fail * (n - fail) / nullif(n * n * (n - 1), 0) AS variance,
           least(a + b, fail) AS most, greatest(0, a + b + fail - n) AS least
    FROM cells JOIN by_task USING (project, task)
)"""
"""A table of two by two for each task, from `cells`: failed (`a`) and succeeded (`b`) with the feature."""

_WITHIN = """sum(a - expected) AS shift, coalesce(sum(variance), 0) AS spread,
           sum(most - expected) AS room_up, sum(expected - least) AS room_down,
           sum(a * d / n) AS mh_for, sum(b * c / n) AS mh_against,
           count(*) FILTER (variance > 0) AS strata"""
"""What Cochran, Mantel and Haenszel sum over the tables."""

_TESTED = """CASE WHEN strata > 0 THEN chi2_p(pow(greatest(0, abs(shift) - 0.5), 2) / spread) END AS cmh_p,
           CASE WHEN strata > 0 THEN chi2_p(pow(greatest(0,
               CASE WHEN risk_difference > 0 THEN room_up ELSE room_down END - 0.5), 2) / spread) END AS best_p,
           CASE WHEN mh_against > 0 THEN mh_for / mh_against WHEN mh_for > 0 THEN 'infinity'::DOUBLE END AS mh_odds_ratio"""
"""The test within tasks, the furthest that it could have come to, and the odds ratio."""

_STRATIFIED = """CASE WHEN strata = 0 THEN 'no_strata'
                   WHEN cmh_p <= 0.05 AND shift * risk_difference > 0 THEN 'holds'
                   WHEN best_p > 0.05 AND shift * risk_difference > 0
                        AND (CASE WHEN risk_difference > 0 THEN mh_against ELSE mh_for END) = 0 THEN 'untestable'
                   ELSE 'vanishes' END"""
"""What came of the test within tasks, in a word."""

_FEATURES = f"""
WITH {_LABELLED}, mine AS (
    SELECT s.* EXCLUDE (project), labelled.project FROM steps s JOIN labelled USING (root_id)
), used AS (
    SELECT root_id, tool, count(*) AS n, count(*) FILTER (is_error) AS errors,
           min((session_id, seq)) AS place, min((session_id, result_seq)) FILTER (is_error) AS bad_place
    FROM mine GROUP BY root_id, tool
), commands AS (
    SELECT root_id, head, count(*) AS n, min((session_id, seq)) AS place
    FROM mine WHERE head <> tool GROUP BY root_id, head
), args AS (
    SELECT root_id, project, tool, unnest(args) AS arg, session_id, seq FROM mine
), argued AS (
    SELECT root_id, project, tool, arg, split_part(arg, '=', 1) AS name, min((session_id, seq)) AS place
    FROM args GROUP BY ALL
), choices AS (
    SELECT project, tool, name FROM argued GROUP BY ALL HAVING count(DISTINCT arg) BETWEEN 2 AND 12
), present AS (
    SELECT root_id, 'uses:' || tool AS feature, place FROM used
    UNION ALL SELECT root_id, 'uses>=2:' || tool, place FROM used WHERE n >= 2
    UNION ALL SELECT root_id, 'err:' || tool, bad_place FROM used WHERE errors > 0
    UNION ALL SELECT root_id, 'uses:' || head, place FROM commands
    UNION ALL SELECT root_id, 'uses>=2:' || head, place FROM commands WHERE n >= 2
    UNION ALL SELECT root_id, 'errmsg:' || err_sig, min((session_id, result_seq)) FROM mine
        WHERE is_error GROUP BY root_id, err_sig
    UNION ALL SELECT root_id, 'arg:' || tool || '.' || arg, place FROM argued JOIN choices USING (project, tool, name)
    UNION ALL SELECT root_id, 'no_error', (root_id, NULL::INTEGER) FROM labelled
        WHERE root_id NOT IN (SELECT root_id FROM mine WHERE is_error)
    UNION ALL SELECT root_id, 'no_write_made', (root_id, NULL::INTEGER) FROM labelled
        WHERE root_id NOT IN (SELECT root_id FROM mine WHERE regexp_matches(tool,
            '(?i)(^|[_.-])(write|edit|multiedit|create|update|modify|set|add|insert|append|put|post|patch|delete|remove|cancel|book|send|pay|refund|exchange|return|submit|apply|enable|disable|toggle|commit|push)($|[_.-]|[a-z]*$)'))
    UNION ALL SELECT root_id, 'repeats_identical_call', min((session_id, seq)) FROM (
        SELECT root_id, session_id, seq, tool || ' ' || input_hash = lag(tool || ' ' || input_hash)
            OVER (PARTITION BY session_id, thread ORDER BY step) AS again FROM mine)
        WHERE again GROUP BY root_id
), features AS (
    SELECT root_id, feature, min(place) AS place FROM present GROUP BY root_id, feature
), totals AS (
    SELECT project, count(*) AS all_n, count(*) FILTER (failed) AS all_fail FROM labelled GROUP BY project
), {_BY_TASK}, cells AS (
    SELECT project, feature, task, count(*) FILTER (failed) AS a, count(*) FILTER (NOT failed) AS b,
           list((NOT failed, place) ORDER BY NOT failed, place)[1:5] AS places, list(root_id) AS ids
    FROM features JOIN labelled USING (root_id) GROUP BY project, feature, task
), {_TABLES}, tested AS (
    SELECT project, feature, sum(a)::BIGINT AS fail, sum(b)::BIGINT AS ok, count(*) FILTER (task <> '') AS tasks,
           {_WITHIN}, flatten(list(places ORDER BY task)) AS places,
           list_sort(flatten(list(ids))) AS session_ids
    FROM tables GROUP BY project, feature
), crude AS (
    SELECT tested.*, all_n, all_fail, fail + ok AS n, fisher_p(fail, ok, all_fail - fail, all_n - all_fail - ok) AS fisher_p,
           fail / (fail + ok) - (all_fail - fail) / nullif(all_n - fail - ok, 0) AS risk_difference,
           least(exp(log_choose(all_fail, least(fail + ok, all_fail)) + log_choose(all_n - all_fail, fail + ok - least(fail + ok, all_fail)) - log_choose(all_n, fail + ok)),
                 exp(log_choose(all_n - all_fail, least(fail + ok, all_n - all_fail)) + log_choose(all_fail, fail + ok - least(fail + ok, all_n - all_fail)) - log_choose(all_n, fail + ok))) AS smallest_p
    FROM tested JOIN totals USING (project) WHERE fail + ok >= 2 AND fail + ok < all_n
), ranked AS (
    SELECT *, CASE WHEN smallest_p <= 0.05 THEN
               fisher_p * count(*) OVER (PARTITION BY project, smallest_p <= 0.05)
               / row_number() OVER (PARTITION BY project, smallest_p <= 0.05 ORDER BY fisher_p, feature) END AS step_q
    FROM crude
), corrected AS (
    SELECT *, CASE WHEN step_q IS NULL THEN 1.0 ELSE least(1.0, min(step_q) OVER (
               PARTITION BY project, step_q IS NULL ORDER BY fisher_p DESC, feature DESC)) END AS q,
           {_TESTED}
    FROM ranked
), told AS (
    SELECT *, {_STRATIFIED} AS stratified
    FROM corrected
)
SELECT feature, project, n, fail, ok, fail / n AS p_fail, wilson_low(fail, n) AS p_fail_low, wilson_high(fail, n) AS p_fail_high,
       (all_fail - fail) / (all_n - n) AS p_fail_without, risk_difference, fisher_p, q, mh_odds_ratio, cmh_p,
       strata, tasks, stratified, q <= 0.05 AND stratified <> 'vanishes' AS believed,
       list_transform(list_sort(places)[1:5], lambda p: p[2][1] || coalesce('#' || p[2][2], '')) AS addresses,
       session_ids
FROM told
ORDER BY believed DESC, fisher_p, feature, project
"""

OUTCOME_FEATURES = PatternQuery(
    name="outcome_features",
    title="What separates failure from success",
    description=(
        "Features of labelled root sessions against how they ended, project by project, for what fails in one "
        "says nothing of another: tools used, used twice or more, "
        "failing, error messages, short arguments with few values, no error, nothing written. Fisher's "
        "exact test says whether a difference is chance, Benjamini and Hochberg's `q` corrects for asking so "
        "often. Then it is asked within each task (Cochran, Mantel and Haenszel, continuity corrected), "
        "because hard tasks need other tools than easy ones; tasks of different formats are different tasks. `stratified` says what came of it: `holds` "
        "(p at most .05, same direction), `untestable` (not even the most extreme outcome could reach .05, "
        "and no task speaks against it), `no_strata` (no task has both), or `vanishes`. `believed` is true "
        "when q is at most .05 and the difference does not vanish. Association only: what to do about it "
        "is for others to judge."
    ),
    columns={
        "feature": "`uses:TOOL`, `uses>=2:TOOL`, `err:TOOL`, `errmsg:SIGNATURE`, `arg:TOOL.name=value`, "
        "`no_error`, `no_write_made`, `repeats_identical_call` (twice in a row)",
        "project": "where it was counted: sessions of other projects are neither with it nor without it",
        "n": "labelled root sessions with the feature",
        "fail": "of these, failed",
        "ok": "of these, succeeded",
        "p_fail": "failure rate with the feature",
        "p_fail_low": "lower end of its 95 % interval",
        "p_fail_high": "upper end",
        "p_fail_without": "failure rate of the labelled sessions without it",
        "risk_difference": "`p_fail` minus `p_fail_without`",
        "fisher_p": "two-sided",
        "q": "`fisher_p` corrected for the number of features that could have been significant at all",
        "mh_odds_ratio": "within tasks; above 1: failure is likelier with it; infinite when no task speaks against",
        "cmh_p": "within tasks, continuity corrected; 1 when the tasks show nothing; empty without strata",
        "strata": "tasks with the feature and without it, with failure and with success: those that say something",
        "tasks": "distinct tasks among the sessions with it",
        "stratified": "`holds`, `untestable`, `no_strata` or `vanishes`",
        "believed": "see above",
        "addresses": "where up to five sessions show it, failed ones first (the session alone for features of absence)",
        "session_ids": "the distinct root sessions that have it",
    },
    sql=_FEATURES,
    moments=f"""
SELECT 'feature' AS kind, concat_ws(chr(31), project, feature) AS key,
       feature || coalesce(' · ' || nullif(project, ''), '') AS label, unnest(session_ids) AS root_id
FROM ({_FEATURES}) WHERE believed
""",
)

FAILED_CHECKS = PatternQuery(
    name="failed_checks",
    title="Outcome checks that failed",
    description=(
        "What the sessions' own sources checked about the result and found wrong, by the check's name, project "
        "by project. A check "
        "that fails in many failed sessions names a cause; one that also fails in sessions that succeeded "
        "may name a coincidence: whether sessions of the same task fail more often where it fails is asked as of "
        "`outcome_features`, with `stratified` as the answer."
    ),
    columns={
        "name": "the check",
        "project": "where it was counted; sessions of other projects count for nothing here",
        "sessions": "distinct root sessions in which it failed",
        "failed_sessions": "of these, sessions that ended in failure",
        "succeeded_sessions": "of these, sessions that ended in success",
        "passed_check": "distinct root sessions in which it was checked and passed",
        "tasks": "distinct tasks among `sessions`",
        "p_fail": "failure rate of the labelled among `sessions`",
        "p_fail_low": "lower end of the 95 % interval",
        "p_fail_high": "upper end",
        "share_of_failures": "`failed_sessions` over all failed sessions of the project",
        "p_fail_without": "failure rate of the labelled sessions in which it did not fail",
        "mh_odds_ratio": "of failure where it fails, within tasks; infinite when no task speaks against",
        "cmh_p": "within tasks, continuity corrected; empty without tasks that could tell",
        "strata": "tasks that could tell: with it and without it, with failure and with success",
        "stratified": "`holds`, `untestable`, `no_strata` or `vanishes`, as in `outcome_features`",
        "detail": "one detail as the source gives it",
        "session_ids": "the distinct root sessions in which it failed, those that ended in failure first",
    },
    sql=f"""
WITH per AS (
    SELECT name, root_id, bool_or(NOT passed) AS broken, any_value(detail) FILTER (NOT passed) AS detail
    FROM checks GROUP BY name, root_id
), base AS (SELECT project, count(*) FILTER (verdict = 'failure') AS failures FROM roots GROUP BY project),
counted AS (
    SELECT project, name, count(*) FILTER (broken) AS sessions,
           count(*) FILTER (broken AND verdict = 'failure') AS failed_sessions,
           count(*) FILTER (broken AND verdict = 'success') AS succeeded_sessions,
           count(*) FILTER (NOT broken) AS passed_check,
           count(DISTINCT nullif(task, '')) FILTER (broken) AS tasks,
           arg_min(detail, root_id) FILTER (broken) AS detail,
           list(root_id ORDER BY verdict, root_id) FILTER (broken) AS session_ids
    FROM per JOIN roots USING (root_id) GROUP BY project, name
), {_LABELLED}, {_BY_TASK}, totals AS (
    SELECT project, count(*) AS all_n, count(*) FILTER (failed) AS all_fail FROM labelled GROUP BY project
), cells AS (
    SELECT project, name AS feature, task, count(*) FILTER (failed) AS a, count(*) FILTER (NOT failed) AS b
    FROM per JOIN labelled USING (root_id) WHERE broken GROUP BY project, name, task
), {_TABLES}, summed AS (
    SELECT project, feature AS name, sum(a)::BIGINT AS fail, sum(b)::BIGINT AS ok, {_WITHIN}
    FROM tables GROUP BY project, feature
), compared AS (
    SELECT summed.*, (all_fail - fail) / nullif(all_n - fail - ok, 0) AS p_fail_without,
           fail / (fail + ok) - coalesce((all_fail - fail) / nullif(all_n - fail - ok, 0), 0) AS risk_difference
    FROM summed JOIN totals USING (project)
), tested AS (SELECT *, {_TESTED} FROM compared
), told AS (SELECT project, name, p_fail_without, mh_odds_ratio, cmh_p, strata, {_STRATIFIED} AS stratified FROM tested)
SELECT name, project, sessions, failed_sessions, succeeded_sessions, passed_check, tasks,
       failed_sessions / nullif(failed_sessions + succeeded_sessions, 0) AS p_fail,
       wilson_low(failed_sessions, failed_sessions + succeeded_sessions) AS p_fail_low,
       wilson_high(failed_sessions, failed_sessions + succeeded_sessions) AS p_fail_high,
       failed_sessions / nullif(failures, 0) AS share_of_failures,
       p_fail_without, mh_odds_ratio, cmh_p, strata, stratified, detail, session_ids
FROM counted JOIN base USING (project) LEFT JOIN told USING (project, name) WHERE sessions > 0
ORDER BY failed_sessions DESC, sessions DESC, name, project
""",
    moments="""
SELECT 'failed check' AS kind, concat_ws(chr(31), roots.project, name) AS key,
       name || coalesce(' · ' || nullif(roots.project, ''), '') AS label, root_id
FROM checks JOIN roots USING (root_id) WHERE NOT passed
""",
)
