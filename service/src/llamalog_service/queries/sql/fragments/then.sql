-- What a row `l` that was recorded by the time of `moment` had then: what the first later change replaced. A row recorded
-- without origin, which got one later, had none.
CROSS JOIN LATERAL (
    SELECT CASE WHEN late.is_so THEN NULL WHEN change.is_one THEN change.old_root_job_id ELSE l.root_job_id END AS root_job_id,
           CASE WHEN late.is_so THEN NULL WHEN change.is_one THEN change.old_origin ELSE l.origin END AS origin,
           late.is_so OR change.is_one IS TRUE AS is_older
    FROM (
        SELECT EXISTS (
            SELECT FROM root_corrections c WHERE c.id = l.settled_by AND c.changed_at > (SELECT m.at FROM moment m)
        ) AS is_so
    ) late
    LEFT JOIN LATERAL (
        SELECT true AS is_one, h.old_root_job_id, h.old_origin
        FROM root_history h
        JOIN root_corrections c ON c.id = h.correction
        WHERE h.row_id = l.id AND c.changed_at > (SELECT m.at FROM moment m)
        ORDER BY h.revision
        LIMIT 1
    ) change ON true
) past
