-- Mark rows that differed in their roots alone and were corrected since: live traffic had ingested the events that change
-- them, but not resolved the roots, or not applied the retractions, yet. Returns how many still differ, and whether recomputes are queued or
-- running, or retractions wait.
WITH corrected AS (
    UPDATE llamalog_rebuild.differences d
    SET corrected = true
    FROM llama_logs l
    WHERE l.id = d.id AND d.kind = 'different' AND NOT d.corrected AND l.revision <> d.revision
      AND d.columns <@ ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict', 'retracted']
    RETURNING 1
)
SELECT (SELECT count(*)
        FROM llamalog_rebuild.differences d
        WHERE d.kind = 'different' AND NOT d.corrected
          AND d.columns <@ ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict', 'retracted'])
       - (SELECT count(*) FROM corrected) AS differing,
       EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running') AND kind = 'recompute-roots')
       OR EXISTS (SELECT FROM retractions WHERE waits_since IS NOT NULL) AS is_recomputing
