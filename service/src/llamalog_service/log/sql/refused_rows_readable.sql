-- Rows from $1 up to $2 were read: none of them is set aside as one that cannot be.
DELETE FROM refused_rows WHERE write = 'read' AND row_id >= $1 AND row_id <= $2
