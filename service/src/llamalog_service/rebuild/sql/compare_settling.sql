-- Note which rows that differed in their roots alone were corrected since by live traffic, which had recorded what
-- changes them and not come to their roots. Says how many are left, and whether repairs are under way.
WITH corrected AS (
    UPDATE llamalog_rebuild.differences d
    SET corrected = true
    FROM llama_logs l
    WHERE l.id = d.id AND d.kind = 'different' AND NOT d.corrected AND l.revision <> d.revision
      AND d.columns <@ ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict']
    RETURNING 1
)
SELECT (SELECT count(*)
        FROM llamalog_rebuild.differences d
        WHERE d.kind = 'different' AND NOT d.corrected
          AND d.columns <@ ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict'])
       - (SELECT count(*) FROM corrected) AS left,
       EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running') AND kind = 'recompute-roots') AS repairing
