-- A correction, with the cause that the transaction states. Its time is later than that of any before it, since the lock of
-- all corrections was taken by a statement before this one.
INSERT INTO root_corrections (changed_at, cause)
SELECT statement_timestamp(), coalesce(nullif(current_setting('llamalog.cause', true), ''), '{"kind": "recompute"}')::jsonb
