-- Keep a backfill ($2, as $3 asks for it) as a run under its id $1, which makes it idempotent.
INSERT INTO backfill_runs (id, kind, jobs, reason, status, request, requested_by)
VALUES ($1, 'backfill-roots', '{}', 'requested', 'queued', $2::jsonb, $3)
ON CONFLICT (id) DO NOTHING
