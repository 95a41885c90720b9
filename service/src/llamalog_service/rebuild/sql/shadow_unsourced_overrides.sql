-- Copy live overrides without an event into the shadow, with the partition -1.
INSERT INTO llamalog_rebuild.root_decrees (id, job_id, adopted, reason, requested_by, decreed_at, partition, "offset")
SELECT d.id, d.job_id, d.adopted, d.reason, d.requested_by, d.decreed_at, -1, 0
FROM root_decrees d
WHERE NOT d.told
