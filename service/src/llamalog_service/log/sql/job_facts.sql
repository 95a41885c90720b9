-- The facts about those jobs of $1 (text[]) that a row bears: a row of it, its earliest claim and
-- declaration; and which of the others were adopted.
SELECT j.job,
       seen.root_job_id, seen.origin, seen.cycle_members,
       least(greatest(claim.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS claim_time, claim.id AS claim_row, claim.parent_job_id AS claim_named,
       least(greatest(declared.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS declared_time, declared.id AS declared_row, declared.declared_root_job_id AS declared_named,
       seen.id IS NOT NULL AS is_seen
FROM unnest($1::text[]) AS j (job)
LEFT JOIN LATERAL (
    SELECT l.id, l.root_job_id, l.origin, l.cycle_members
    FROM llama_logs l
    WHERE {l bears j.job}
    ORDER BY {earliest}
    LIMIT 1
) seen ON true
LEFT JOIN LATERAL (
    SELECT l.created_at, l.id, l.parent_job_id
    FROM llama_logs l
    WHERE seen.id IS NOT NULL AND {l bears j.job} AND l.parent_job_id IS NOT NULL AND {claims}
    ORDER BY {earliest}
    LIMIT 1
) claim ON true
LEFT JOIN LATERAL (
    SELECT l.created_at, l.id, l.declared_root_job_id
    FROM llama_logs l
    WHERE seen.origin IN ('PENDING', 'DECLARED') AND {l bears j.job} AND l.declared_root_job_id IS NOT NULL AND {l stands}
    ORDER BY {earliest}
    LIMIT 1
) declared ON true
LEFT JOIN LATERAL (
    SELECT d.adopted
    FROM root_overrides d
    WHERE seen.id IS NULL AND d.job_id = j.job
    ORDER BY d.overridden_at DESC, d.id DESC
    LIMIT 1
) override ON true
WHERE seen.id IS NOT NULL OR override.adopted
