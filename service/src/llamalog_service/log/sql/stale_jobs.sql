-- The verification after the commit: which jobs of a batch are named by rows of other transactions that do not agree.
-- $1 jobs, $2 their parents that count, $3 their roots, $4 their ends (SEEN, OPEN, or the origin),
-- $5 whether any other row that names the job is reason enough, $6 the transactions that agree with the batch (xid[]),
-- $7 the members of the cycles that they hang on, as JSON text (an array of arrays would have to be rectangular).
SELECT e.job
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $7::text[])
     AS e (job, parent, root, ending, suspicious, members)
WHERE EXISTS (
    SELECT FROM llama_logs l
    WHERE {l bears e.job}
      AND l.xmin <> ALL ($6::xid[])
      AND (e.suspicious
           OR l.origin IS NULL
           OR l.parent_conflict <> (NOT l.retracted AND l.parent_job_id IS NOT NULL AND l.parent_job_id IS DISTINCT FROM e.parent)
           OR e.ending <> CASE WHEN l.origin IN ('ROOT', 'RESOLVED') THEN 'SEEN'
                               WHEN l.origin IN ('PENDING', 'DECLARED') THEN 'OPEN'
                               ELSE l.origin::text END
           OR e.ending = 'CYCLE' AND to_jsonb(l.cycle_members) IS DISTINCT FROM e.members::jsonb
           OR l.root_job_id IS DISTINCT FROM
              CASE WHEN e.ending = 'OPEN' THEN coalesce({declared}, e.root) ELSE e.root END)
) OR EXISTS (
    SELECT FROM llama_logs l
    WHERE {l names e.job}
      AND l.xmin <> ALL ($6::xid[])
      AND (e.suspicious
           OR l.origin IS NULL
           OR {counts}
              AND (e.ending <> CASE WHEN l.origin IN ('ROOT', 'RESOLVED') THEN 'SEEN'
                                    WHEN l.origin IN ('PENDING', 'DECLARED') THEN 'OPEN'
                                    ELSE l.origin::text END
                   OR e.ending = 'CYCLE' AND to_jsonb(l.cycle_members) IS DISTINCT FROM e.members::jsonb
                   OR l.root_job_id IS DISTINCT FROM
                      CASE WHEN e.ending = 'OPEN' THEN coalesce({declared}, e.root) ELSE e.root END))
)
