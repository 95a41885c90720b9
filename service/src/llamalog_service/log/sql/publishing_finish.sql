-- Delete the progress of a publication ($1).
DELETE FROM publishing_progress WHERE publication = $1
