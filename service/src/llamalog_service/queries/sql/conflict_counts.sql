-- How many rows claim another parent than the one that counts, declare another root than the one found, or hang on a
-- cycle; and how many cycles there are.
SELECT count(*) FILTER (WHERE l.parent_conflict) AS parents,
       count(*) FILTER (WHERE l.declared_root_job_id <> l.root_job_id) AS declarations,
       count(*) FILTER (WHERE l.origin = 'CYCLE') AS rows_on_cycles,
       count(DISTINCT l.cycle_members) FILTER (WHERE l.origin = 'CYCLE') AS cycles
FROM llama_logs l
WHERE l.parent_conflict OR l.declared_root_job_id <> l.root_job_id OR l.origin = 'CYCLE'
