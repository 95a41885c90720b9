-- Copy live overrides without an event into the shadow, with the partition -1.
INSERT INTO llamalog_rebuild.root_overrides (id, job_id, adopted, reason, requested_by, overridden_at, partition, "offset")
SELECT d.id, d.job_id, d.adopted, d.reason, d.requested_by, d.overridden_at, -1, 0
FROM root_overrides d
WHERE NOT d.is_sourced
