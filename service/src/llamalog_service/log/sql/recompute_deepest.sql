-- The job with most jobs above it.
SELECT job, depth FROM recompute_ends WHERE depth IS NOT NULL ORDER BY depth DESC, job LIMIT 1
