-- Leave one row of each of the ids that shadow_repeated has found in the shadow: of several contents the one that the live
-- table holds (a row recorded before producers were may be of any), else that of a legacy row, else that of the lowest partition and offset. The other contents are kept for
-- another comparison. Returns how many rows were removed, how many ids have several contents, and of how many the live
-- table holds another content than an empty one would get.
WITH held AS MATERIALIZED (
    SELECT l.id, content, {producer} AS producer
    FROM repeated_ids
    JOIN llama_logs l USING (id)
    CROSS JOIN LATERAL (SELECT {content}) content
), candidates AS MATERIALIZED (
    SELECT l.ctid AS tuple, l.id, g.row_id IS NOT NULL AS is_legacy, l.partition, l."offset", content, l.producer
    FROM repeated_ids
    JOIN llamalog_rebuild.llama_logs l USING (id)
    LEFT JOIN llamalog_rebuild.legacy_rows g
        ON g.row_id = l.id AND g.partition = l.partition AND g."offset" = l."offset"
    CROSS JOIN LATERAL (SELECT {content}) content
), ranked AS MATERIALIZED (
    SELECT c.tuple, c.id,
           first_value(c.content) OVER foremost <> c.content
               OR first_value(c.producer) OVER foremost IS DISTINCT FROM c.producer AS is_other,
           row_number() OVER (
               PARTITION BY c.id
               ORDER BY coalesce(h.content = c.content AND coalesce(h.producer = c.producer, h.producer IS NULL), false) DESC, c.is_legacy DESC, c.partition, c."offset"
           ) AS choice
    FROM candidates c
    LEFT JOIN held h USING (id)
    WINDOW foremost AS (PARTITION BY c.id ORDER BY c.is_legacy DESC, c.partition, c."offset")
), removed AS (
    DELETE FROM llamalog_rebuild.llama_logs s
    USING ranked r
    WHERE s.ctid = r.tuple AND r.choice > 1
    RETURNING s.*
), others AS (
    INSERT INTO llamalog_rebuild.other_contents SELECT * FROM removed WHERE id IN (SELECT id FROM ranked WHERE is_other)
)
SELECT (SELECT count(*) FROM removed) AS removed,
       count(DISTINCT id) FILTER (WHERE is_other) AS contested,
       count(*) FILTER (WHERE is_other AND choice = 1) AS contested_kept_live
FROM ranked
