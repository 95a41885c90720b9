-- Keep a command as a run; its id makes it idempotent.
INSERT INTO backfill_runs (id, kind, jobs, reason, status)
VALUES ($1, $2, $3, $4, 'queued')
ON CONFLICT (id) DO NOTHING
