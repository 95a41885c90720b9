-- What waits to be published: removals, corrections of small recomputes, corrections of any kind. ORDER BY, so that each is
-- the first entry of an index: millions of another kind may wait.
SELECT (SELECT true FROM removed_rows r WHERE NOT r.is_published ORDER BY r.row_id LIMIT 1) IS TRUE AS removals,
       (SELECT true FROM provenance_outbox n WHERE NOT n.bulk ORDER BY n.noted_at, n.row_id, n.revision LIMIT 1) IS TRUE
           AS prompt,
       (SELECT true FROM provenance_outbox n ORDER BY n.row_id, n.revision LIMIT 1) IS TRUE AS corrections
