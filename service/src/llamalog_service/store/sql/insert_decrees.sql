-- Keep decrees about jobs never seen; each id once.
INSERT INTO root_decrees (id, job_id, adopted, reason, requested_by, decreed_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamp[])
ON CONFLICT (id) DO NOTHING
