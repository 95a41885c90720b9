-- Those jobs of $1 (text[]) that rows of other transactions than $2 (xid[]) bear or name as their parent, and seldom another
-- whose name has the same hash. Looked up for all jobs at once: nearly all rows that name them are the transaction's own.
SELECT l.job_id AS job FROM llama_logs l WHERE {l may bear $1::text[]} AND l.xmin <> ALL ($2::xid[])
UNION
SELECT l.parent_job_id FROM llama_logs l WHERE {l may name $1::text[]} AND l.xmin <> ALL ($2::xid[])
