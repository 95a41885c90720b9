-- As timeline_rows, by the roots that rows had at the time $10; rows recorded later are left out. What a row bears besides its
-- root is as it is now.
WITH RECURSIVE moment AS MATERIALIZED (
    SELECT $10::timestamptz AS at
), about AS MATERIALIZED (
    {naming_entity}
), named AS MATERIALIZED (
    SELECT l.id, l.created_at, l.is_root_job, past.root_job_id
    FROM about a
    CROSS JOIN LATERAL (
        SELECT r.id, r.created_at, r.is_root_job, r.root_job_id, r.origin, r.settled_by
        FROM llama_logs r
        WHERE r.id = a.id AND r.recorded_at <= (SELECT m.at FROM moment m)
        OFFSET 0
    ) l
    {then}
), roots AS MATERIALIZED (
    SELECT DISTINCT n.root_job_id AS root FROM named n WHERE n.root_job_id IS NOT NULL
), places AS (
    SELECT n.id, n.created_at, n.is_root_job
    FROM named n
    WHERE $9::boolean AND n.root_job_id IS NULL
      AND (n.created_at, NOT n.is_root_job, n.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    UNION ALL
    SELECT below.id, below.created_at, below.is_root_job
    FROM (
        SELECT l.id, l.created_at, l.is_root_job
        FROM roots wanted
        {stemming_then}
    ) below
    WHERE (below.created_at, NOT below.is_root_job, below.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $4::integer
), {piece}
SELECT {row}, l.beyond, l.parents,
       {entity_name} AS entity_name
FROM piece l
ORDER BY l.created_at, l.is_root_job DESC, l.id
