-- The two work tables of a recompute, empty at every commit.
CREATE TEMPORARY TABLE IF NOT EXISTS recompute_jobs (
    job text PRIMARY KEY,
    parent text,          -- by its earliest claim
    seen boolean NOT NULL,
    adopted boolean NOT NULL,
    declared text,        -- by its earliest declaration
    in_scope boolean NOT NULL
) ON COMMIT DELETE ROWS;
CREATE INDEX IF NOT EXISTS recompute_jobs_parent ON recompute_jobs (parent);
CREATE TEMPORARY TABLE IF NOT EXISTS recompute_ends (
    job text PRIMARY KEY,
    root text,
    ending text NOT NULL, -- SEEN, ADOPTED, OPEN or CYCLE
    depth integer,        -- jobs above; none of a job that hangs on a cycle
    cycle_members text[]
) ON COMMIT DELETE ROWS
