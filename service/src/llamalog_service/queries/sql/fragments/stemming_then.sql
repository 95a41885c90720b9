-- The rows that had the root `wanted.root` at the time of `moment`: of those that have it now, or have had it, the ones that
-- were recorded by then.
CROSS JOIN LATERAL (
    SELECT own.id FROM llama_logs own WHERE {own stems from wanted.root}
    UNION
    SELECT h.row_id
    FROM root_history h
    WHERE hashtextextended(h.old_root_job_id, 0) = hashtextextended(wanted.root, 0) AND texteq(h.old_root_job_id, wanted.root)
) candidate
CROSS JOIN LATERAL (
    SELECT r.id, r.created_at, r.is_root_job, r.job_id, r.root_job_id, r.origin, r.settled_by
    FROM llama_logs r
    WHERE r.id = candidate.id AND r.recorded_at <= (SELECT m.at FROM moment m)
    OFFSET 0
) l
{then}
WHERE texteq(past.root_job_id, wanted.root)
