-- Delete those of the live rows $1 that the shadow does not hold; each is archived in removed_rows.
WITH removed AS (
    DELETE FROM llama_logs l
    WHERE l.id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM llamalog_rebuild.llama_logs s WHERE s.id = l.id)
    RETURNING l.id, to_jsonb(l) - 'producer_id' || jsonb_build_object('producer', {producer}) AS content
)
INSERT INTO removed_rows (row_id, content) SELECT id, content FROM removed
