-- The seconds since the oldest correction in the history of roots.
SELECT coalesce(extract(epoch FROM now() - min(changed_at)), 0)::double precision FROM root_corrections
