-- Have the rows of these persons ($1) erased once more: rows of theirs may have come in behind a pass.
UPDATE erasures SET applied_at = NULL, reached = NULL WHERE user_digest = ANY ($1::text[])
