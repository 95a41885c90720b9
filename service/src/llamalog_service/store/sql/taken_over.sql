-- When the table was taken over: the rows that stood there bear this time as the one at which they were recorded.
SELECT j.before::timestamptz AS taken_over FROM migration_journal j WHERE j.kind = 'taken over'
