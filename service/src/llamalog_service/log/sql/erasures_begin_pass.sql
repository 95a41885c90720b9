-- Begin a pass over the table for all erasures that wait, unless one is under way; the row up to which it has come, NULL if
-- there is nothing to do.
WITH under_way AS (
    SELECT reached FROM erasures WHERE applied_at IS NULL AND reached IS NOT NULL LIMIT 1
), begun AS (
    UPDATE erasures SET reached = '00000000-0000-0000-0000-000000000000'
    WHERE applied_at IS NULL AND NOT EXISTS (SELECT FROM under_way)
    RETURNING reached
)
SELECT reached FROM under_way UNION ALL SELECT reached FROM begun LIMIT 1
