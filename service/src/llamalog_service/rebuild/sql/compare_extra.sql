-- Of the rows $1 those that were called extra.
SELECT id FROM llamalog_rebuild.differences WHERE kind = 'extra' AND id = ANY ($1::uuid[])
