-- The row $1.
SELECT {row}
FROM (SELECT l.*, {weights} FROM llama_logs l WHERE l.id = $1::uuid OFFSET 0) l
