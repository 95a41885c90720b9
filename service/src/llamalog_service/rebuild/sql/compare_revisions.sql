-- Note the revisions of live rows that differ: whoever corrects one raises it.
UPDATE llamalog_rebuild.differences d SET revision = l.revision FROM llama_logs l WHERE l.id = d.id
