-- Mark those live rows of $1 (NULL: all) that are legacy rows of the shadow, and keep the lineage columns of them that
-- the rules overrule.
WITH legacy AS (
    SELECT g.row_id, g.parent_job_id, g.root_job_id
    FROM llamalog_rebuild.legacy_rows g
    JOIN llamalog_rebuild.llama_logs s
        ON s.id = g.row_id AND s.partition = g.partition AND s."offset" = g."offset"
    WHERE $1::uuid[] IS NULL OR g.row_id = ANY ($1)
), marked AS (
    UPDATE llama_logs l SET legacy_sourced = true FROM legacy g WHERE l.id = g.row_id AND l.legacy_sourced IS NOT TRUE
)
INSERT INTO legacy_values AS v (row_id, parent_job_id, root_job_id)
SELECT row_id, parent_job_id, root_job_id FROM legacy
WHERE parent_job_id IS NOT NULL OR root_job_id IS NOT NULL
ON CONFLICT (row_id) DO UPDATE
SET parent_job_id = coalesce(v.parent_job_id, excluded.parent_job_id),
    root_job_id = coalesce(v.root_job_id, excluded.root_job_id)
