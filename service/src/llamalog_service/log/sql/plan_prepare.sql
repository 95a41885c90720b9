-- The work tables of a plan, made anew: every job that it needs, then where the walk from each job ends.
DROP TABLE IF EXISTS pg_temp.plan_jobs, pg_temp.plan_ends;
CREATE TEMPORARY TABLE plan_jobs (
    job text NOT NULL,
    parent text,          -- by its earliest claim
    seen boolean NOT NULL,
    adopted boolean,      -- by its latest override
    declared text,        -- by its earliest declaration
    in_scope boolean NOT NULL
);
CREATE TEMPORARY TABLE plan_ends (
    job text NOT NULL,
    parent text,
    top text,             -- where the walk ends, but for a cycle
    root text,
    ending text NOT NULL, -- SEEN, ADOPTED, OPEN or CYCLE
    cycle_members text[],
    in_scope boolean NOT NULL
)
