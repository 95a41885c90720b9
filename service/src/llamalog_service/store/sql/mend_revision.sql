-- A revision that no live row has reached, and no correction that waits to be told: of a row that was gone others may
-- know any up to it.
SELECT greatest(
    (SELECT coalesce(max(revision), 0) FROM llama_logs),
    (SELECT coalesce(max(revision), 0) FROM provenance_outbox)
) + 1
