-- Keep of the changed rows `known`, with what each had before, those that have another root or origin now. A row that had
-- neither notes that itself. A row that another program deleted and put in again may have the revisions that it had before.
INSERT INTO root_history (row_id, revision, correction, old_root_job_id, old_origin, root_job_id, origin)
    SELECT k.id, k.revision, n.id, k.root_now, k.origin_now, k.root_job_id, k.origin
    FROM known k
    CROSS JOIN new_correction n
    WHERE (k.root_now IS NOT NULL OR k.origin_now IS NOT NULL)
      AND (k.root_now, k.origin_now) IS DISTINCT FROM (k.root_job_id, k.origin)
    ON CONFLICT (row_id, revision) DO UPDATE
    SET correction = excluded.correction, old_root_job_id = excluded.old_root_job_id, old_origin = excluded.old_origin,
        root_job_id = excluded.root_job_id, origin = excluded.origin
