-- Note rows ($1) that were corrected past the revision ($2) just published: the older record may have come last, and
-- compaction keeps what comes last. An entry that is there gets a new version: the one that is being published may come
-- before. So are rows of the same revision with another root ($3) or origin ($4): a process that stood still while an older copy
-- of the database took its place has published what it had recorded before.
INSERT INTO provenance_outbox (row_id, revision)
SELECT DISTINCT l.id, l.revision
FROM llama_logs l
JOIN unnest($1::uuid[], $2::integer[], $3::text[], $4::text[]) AS published (id, revision, root, origin) USING (id)
WHERE l.revision > published.revision
   OR l.revision = published.revision
      AND (l.root_job_id IS DISTINCT FROM published.root OR l.origin::text IS DISTINCT FROM published.origin)
ON CONFLICT (row_id, revision) DO UPDATE SET noted_at = excluded.noted_at
