-- Views of the two sides with the same columns and types: without recorded_at and revision, which do not follow from
-- events; enums as texts; a list that is NULL as an empty one.
CREATE OR REPLACE TEMPORARY VIEW live AS
SELECT {content}, p.source AS producer, l.erased, l.retracted,
       l.root_job_id::text, l.origin::text, l.cycle_members, l.parent_conflict
FROM llama_logs l
LEFT JOIN event_producers p ON p.id = l.producer_id;
CREATE OR REPLACE TEMPORARY VIEW decoded AS
SELECT {content}, l.producer, l.erased, l.retracted
FROM llamalog_rebuild.llama_logs l;
CREATE OR REPLACE TEMPORARY VIEW rebuilt AS
SELECT d.*, r.root_job_id::text, r.origin::text, r.cycle_members, r.parent_conflict
FROM decoded d
JOIN llamalog_rebuild.roots r ON r.row_id = d.id
