weighed AS (
    -- What is small is weighed as it is kept; what is compressed as the text that it will be. OFFSET 0: a row is found by
    -- its id, and weighed once.
    SELECT l.*, row_number() OVER w AS number, bytes.bytes, sum(bytes.bytes) OVER w - bytes.bytes AS before
    FROM places p
    CROSS JOIN LATERAL (
        SELECT l.*, {weights}
        FROM llama_logs l
        WHERE l.id = p.id
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (SELECT l.metadata_bytes + l.preview_bytes + l.text_bytes AS bytes) bytes
    WINDOW w AS (ORDER BY l.created_at, l.is_root_job DESC, l.id ROWS UNBOUNDED PRECEDING)
), page AS MATERIALIZED (
    -- The first row is given; of the others those that keep all of them within $5 bytes, and one more, marked as
    -- `beyond`.
    SELECT l.*, l.number > 1 AND l.before + l.bytes > $5::bigint AS beyond
    FROM weighed l
    WHERE l.number <= 2 OR l.before <= $5::bigint
), starts (job) AS (
    SELECT DISTINCT coalesce(p.job_id, p.parent_job_id)
    FROM page p
    WHERE coalesce(p.job_id, p.parent_job_id) IS NOT NULL
), {lineage}, piece AS (
    -- One of the rows also bears the parents of all jobs in them and above, of the nearest $6; there the walk ends.
    SELECT p.*,
           CASE WHEN row_number() OVER () = 1 THEN (
               SELECT jsonb_object_agg(a.job, a.parent) FROM (SELECT * FROM lineage LIMIT $6::integer) a
           ) END AS parents
    FROM page p
)
