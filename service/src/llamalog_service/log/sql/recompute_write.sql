-- Write rows (as of recompute_rows), note each new revision in the outbox, and return what changed, by the job
-- that the rows' walk starts at, unless more than 10,000 rows did, and by their new origin; with the number of rows that are
-- not as wanted all the same. A root that another program computed is kept in legacy_values. Where more than 1,000 rows get
-- one root, or more than 10,000 change in all, others are published before them.
WITH wanted AS (
    WANTED_ROWS
), {correction}
SELECT grouped.*,
       (SELECT count(*) FROM wanted) - (SELECT count(*) FROM changed WHERE as_wanted) AS ineffective
FROM (SELECT) AS always
{correction_sums}
