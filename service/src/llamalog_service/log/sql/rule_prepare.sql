-- The work tables of the rule, made anew: every job that it needs, then where the walk from each job ends.
DROP TABLE IF EXISTS pg_temp.rule_jobs, pg_temp.rule_ends;
CREATE TEMPORARY TABLE rule_jobs (
    job text NOT NULL,
    parent text,          -- by its earliest claim
    seen boolean NOT NULL,
    adopted boolean,      -- by its latest override
    declared text,        -- by its earliest declaration
    in_scope boolean NOT NULL
);
CREATE TEMPORARY TABLE rule_ends (
    job text NOT NULL,
    parent text,
    top text,             -- where the walk ends, but for a cycle
    root text,
    ending text NOT NULL, -- SEEN, ADOPTED, OPEN or CYCLE
    cycle_members text[],
    in_scope boolean NOT NULL
)
