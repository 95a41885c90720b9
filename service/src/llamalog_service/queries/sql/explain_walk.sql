-- The jobs from $1 upwards, each with the parent that counts, whether it was seen, the root that its earliest declaration names
-- with the row that does, and the override that counts: the nearest $2 jobs, there the walk ends. UNION, not UNION ALL: a job
-- is visited once, so that a cycle ends the walk.
WITH RECURSIVE walk (job, parent, claim) AS (
    SELECT s.job, claim.parent_job_id, claim.id
    FROM (SELECT $1::text AS job) s
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id, l.id
        FROM llama_logs l
        WHERE {l bears s.job} AND l.parent_job_id IS NOT NULL AND {claims}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    UNION
    SELECT child.parent::text, claim.parent_job_id, claim.id
    FROM walk child
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id, l.id
        FROM llama_logs l
        WHERE {l bears child.parent} AND l.parent_job_id IS NOT NULL AND {claims}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    WHERE child.parent IS NOT NULL
)
SELECT w.job, w.parent, w.claim, seen.found IS NOT NULL AS is_seen, declared.id AS declaration,
       declared.declared_root_job_id AS declared, override.adopted
FROM (SELECT * FROM walk LIMIT $2::integer) w
LEFT JOIN LATERAL (
    SELECT true AS found FROM llama_logs l WHERE {l bears w.job} LIMIT 1
) seen ON true
LEFT JOIN LATERAL (
    SELECT l.id, l.declared_root_job_id
    FROM llama_logs l
    WHERE {l bears w.job} AND l.declared_root_job_id IS NOT NULL AND {l stands}
    ORDER BY {earliest}
    LIMIT 1
) declared ON true
LEFT JOIN LATERAL (
    SELECT d.adopted FROM root_overrides d WHERE d.job_id = w.job ORDER BY d.overridden_at DESC, d.id DESC LIMIT 1
) override ON true
