-- How many rows without an event are left to be told after $1, and how many decrees after $2 (NULL: all).
SELECT (SELECT count(*)
        FROM llama_logs l
        WHERE ($1::uuid IS NULL OR l.id > $1)
          AND (l.origin IS NULL
               OR l.recorded_at IN (SELECT j.before::timestamptz FROM migration_journal j WHERE j.kind = 'taken over')))
           AS rows,
       (SELECT count(*) FROM root_decrees WHERE $2::uuid IS NULL OR id > $2) AS decrees
