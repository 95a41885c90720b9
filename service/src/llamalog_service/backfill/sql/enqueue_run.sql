-- Add a recompute under its command's id, which makes it idempotent.
INSERT INTO backfill_runs (id, kind, jobs, reason, status)
VALUES ($1, 'recompute-roots', $2, $3, 'queued')
ON CONFLICT (id) DO NOTHING
