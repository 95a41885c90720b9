-- How many rows claim another parent than the one that counts, declare another root than the one found, or hang on a
-- cycle; how many cycles there are; and how many rows PostgreSQL lets no writer change.
SELECT count(*) FILTER (WHERE l.parent_conflict) AS parents,
       count(*) FILTER (WHERE {declared} <> l.root_job_id) AS declarations,
       count(*) FILTER (WHERE l.origin = 'CYCLE') AS rows_on_cycles,
       count(DISTINCT l.cycle_members) FILTER (WHERE l.origin = 'CYCLE') AS cycles,
       (SELECT count(*) FROM {refused}) AS refused
FROM llama_logs l
WHERE l.parent_conflict OR l.declared_root_job_id <> l.root_job_id OR l.origin = 'CYCLE'
