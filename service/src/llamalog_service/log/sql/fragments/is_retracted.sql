-- Whether the event of a row `l` is retracted, by its latest retraction or revocation.
coalesce((SELECT x.retracted FROM retractions x WHERE x.row_id = l.id ORDER BY x.retracted_at DESC, x.id DESC LIMIT 1), false)
