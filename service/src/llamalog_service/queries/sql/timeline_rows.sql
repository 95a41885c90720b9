-- The rows of the timeline of the entity $7 (uuid) of the type $8 (text), at most $4 behind the position $1 (time),
-- $2 (whether the row does not call itself a root job's), $3 (id): those whose root is a root of a row that names the
-- entity, and if $9, those that name it and have no known root. OFFSET 0: else the planner may read by time.
WITH RECURSIVE named AS MATERIALIZED (
    {naming_entity}
), roots AS MATERIALIZED (
    SELECT DISTINCT n.root_job_id FROM named n WHERE n.root_job_id IS NOT NULL
), places AS (
    SELECT n.id, n.created_at, n.is_root_job
    FROM named n
    WHERE $9::boolean AND n.root_job_id IS NULL
      AND (n.created_at, NOT n.is_root_job, n.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    UNION ALL
    SELECT below.id, below.created_at, below.is_root_job
    FROM roots r
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE {l stems from r.root_job_id}
          AND (l.created_at, NOT l.is_root_job, l.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
        OFFSET 0
    ) below
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $4::integer
), {piece}
SELECT {row}, l.beyond, l.parents,
       {entity_name} AS entity_name
FROM piece l
ORDER BY l.created_at, l.is_root_job DESC, l.id
