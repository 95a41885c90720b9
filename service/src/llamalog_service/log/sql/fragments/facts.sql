-- Of each job `a`: its earliest claim, whether it was seen, the root that its earliest declaration names, the override that counts.
LEFT JOIN LATERAL (
    SELECT l.parent_job_id
    FROM llama_logs l
    WHERE {l bears a.job} AND l.parent_job_id IS NOT NULL AND {claims}
    ORDER BY {earliest}
    LIMIT 1
) claim ON true
LEFT JOIN LATERAL (
    SELECT true AS found FROM llama_logs l WHERE {l bears a.job} LIMIT 1
) seen ON true
LEFT JOIN LATERAL (
    SELECT l.declared_root_job_id
    FROM llama_logs l
    WHERE {l bears a.job} AND l.declared_root_job_id IS NOT NULL AND {l stands}
    ORDER BY {earliest}
    LIMIT 1
) declared ON true
LEFT JOIN LATERAL (
    SELECT d.adopted FROM root_overrides d WHERE d.job_id = a.job ORDER BY d.overridden_at DESC, d.id DESC LIMIT 1
) override ON true
