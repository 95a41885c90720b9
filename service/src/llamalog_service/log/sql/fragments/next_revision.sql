-- Of the row l: above its own, and above any that it had before it was removed, for other writers may put it in again, at 1.
greatest(l.revision, (SELECT max((r.content ->> 'revision')::integer) FROM removed_rows r WHERE r.row_id = l.id)) + 1
