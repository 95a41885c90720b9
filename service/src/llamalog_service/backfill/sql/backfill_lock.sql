-- Hold the backfill $1 if it is under way, and say what it is to do and where it goes on.
SELECT requested_action, resume_at, by_class FROM backfill_runs WHERE id = $1 AND status = 'running' FOR UPDATE
