-- Leave one row of each id in the shadow: where several contents were told under it, the one that the live table holds
-- if it holds any of them, else that of a legacy row, else the one of the lowest partition and offset. The others of
-- such an id are kept aside for another comparison. Says how many
-- rows were repetitions, how many ids had several contents, and of how many the live table keeps another than would
-- be taken without it.
WITH repeated AS MATERIALIZED (
    SELECT id FROM llamalog_rebuild.llama_logs GROUP BY id HAVING count(*) > 1
), held AS (
    SELECT l.id, to_jsonb(l) - ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict'] AS content
    FROM repeated
    JOIN live l USING (id)
), told AS (
    SELECT s.ctid AS place, s.id, g.row_id IS NOT NULL AS is_legacy, s.partition, s."offset",
           to_jsonb(s) - ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict', 'revision', 'partition',
                               'offset'] AS content
    FROM repeated
    JOIN llamalog_rebuild.llama_logs s USING (id)
    LEFT JOIN llamalog_rebuild.legacy_rows g
        ON g.row_id = s.id AND g.partition = s.partition AND g."offset" = s."offset"
), ranked AS MATERIALIZED (
    SELECT t.place, t.id,
           first_value(t.content) OVER foremost <> t.content AS is_other,
           row_number() OVER (
               PARTITION BY t.id
               ORDER BY coalesce(h.content = t.content, false) DESC, t.is_legacy DESC, t.partition, t."offset"
           ) AS choice
    FROM told t
    LEFT JOIN held h USING (id)
    WINDOW foremost AS (PARTITION BY t.id ORDER BY t.is_legacy DESC, t.partition, t."offset")
), removed AS (
    DELETE FROM llamalog_rebuild.llama_logs s
    USING ranked r
    WHERE s.ctid = r.place AND r.choice > 1
    RETURNING s.*
), aside AS (
    INSERT INTO llamalog_rebuild.passed_over SELECT * FROM removed WHERE id IN (SELECT id FROM ranked WHERE is_other)
)
SELECT (SELECT count(*) FROM removed) AS repetitions,
       count(DISTINCT id) FILTER (WHERE is_other) AS contested,
       count(*) FILTER (WHERE is_other AND choice = 1) AS kept_as_live
FROM ranked
