-- What the rule gives a row `l` by the end `e` of its walk; there is none without a job or a parent.
CASE WHEN e.ending = 'OPEN' THEN coalesce({declared}, e.root) ELSE e.root END::varchar AS root_job_id,
CASE e.ending
    WHEN 'SEEN' THEN CASE WHEN l.job_id = e.root THEN 'ROOT' ELSE 'RESOLVED' END
    WHEN 'OPEN' THEN CASE WHEN coalesce({declared}, e.root) IS NULL THEN 'PENDING' ELSE 'DECLARED' END
    ELSE coalesce(e.ending, 'UNTRACKED')
END::"LlamaLogOrigin" AS origin,
e.cycle_members
