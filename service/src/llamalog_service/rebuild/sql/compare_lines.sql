-- Every difference as a line of JSON: of a row on both sides the differing columns, else the whole row.
SELECT json_build_object(
           'id', d.id, 'kind', d.kind, 'columns', d.columns, 'correctedMeanwhile', d.corrected,
           'live', d.live, 'rebuilt', d.rebuilt
       )::text AS line
FROM llamalog_rebuild.differences d
ORDER BY d.id
