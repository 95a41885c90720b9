-- Let every row that was set aside be tried again.
UPDATE refused_rows SET seen = NULL WHERE seen IS NOT NULL
