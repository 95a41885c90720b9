-- Strike out those of the next $2 rows set aside after the row $1 (NULL: from the beginning) that are gone or have changed
-- since; without those that cannot be read. Returns each of them by every write that was refused, and of those that have changed the job to recompute from.
-- Retractions of the latter are applied once more.
WITH next AS (
    SELECT DISTINCT f.row_id
    FROM refused_rows f
    WHERE ($1::uuid IS NULL OR f.row_id > $1)
      AND NOT EXISTS (SELECT FROM refused_rows e WHERE e.row_id = f.row_id AND e.write = 'read')
    ORDER BY f.row_id
    LIMIT $2
), page AS (
    SELECT f.row_id, f.write, f.seen FROM next n JOIN refused_rows f USING (row_id)
), checked AS (
    SELECT p.row_id, p.write, coalesce(l.job_id, l.parent_job_id) AS job,
           l.version IS NULL OR l.version IS DISTINCT FROM p.seen AS is_over
    FROM page p
    LEFT JOIN LATERAL (
        SELECT r.xmin AS version, r.job_id, r.parent_job_id FROM llama_logs r WHERE r.id = p.row_id OFFSET 0
    ) l ON true
), over AS (
    DELETE FROM refused_rows f USING checked c WHERE c.is_over AND f.row_id = c.row_id AND f.write = c.write
), retracted AS (
    UPDATE retractions t SET waits_since = clock_timestamp()
    FROM checked c
    WHERE c.is_over AND c.write = 'retract' AND t.row_id = c.row_id
)
SELECT c.row_id, CASE WHEN c.is_over THEN c.job END AS job FROM checked c ORDER BY c.row_id
