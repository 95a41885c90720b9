-- The roots and origins that the rows $1 (uuid[]) had at the time $2; rows recorded later are left out.
WITH moment AS MATERIALIZED (
    SELECT $2::timestamptz AS at
)
SELECT l.id, past.root_job_id, past.origin, past.is_older, {l was retracted at (SELECT m.at FROM moment m)} AS retracted
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT l.id, l.root_job_id, l.origin, l.settled_by
    FROM llama_logs l
    WHERE l.id = wanted.id AND l.recorded_at <= (SELECT m.at FROM moment m)
    OFFSET 0
) l
{then}
