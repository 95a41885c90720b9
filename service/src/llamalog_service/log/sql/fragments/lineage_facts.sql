-- The jobs of the fragment `above`, as a recompute needs them.
SELECT a.job, claim.parent_job_id, seen.found IS NOT NULL, coalesce(override.adopted, false),
       declared.declared_root_job_id, a.in_scope
FROM jobs a
{facts}
