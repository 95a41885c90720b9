-- Record the revisions of live rows that differ: every correction raises them.
UPDATE llamalog_rebuild.differences d SET revision = l.revision FROM llama_logs l WHERE l.id = d.id
