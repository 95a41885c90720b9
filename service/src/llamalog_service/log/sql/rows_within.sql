-- Of the rows of $1 (uuid[]) that are in the table, in that order, the first and those after it that keep all of them within
-- $3 bytes; with their JSON if $2. `place` is that of the id in $1, `found` the number of rows that are there, given or not.
-- What is small is weighed as it is kept; what is compressed as the text that it will be. OFFSET 0: weighed once.
SELECT {stored}, l.place, l.found
FROM (
    SELECT l.*, row_number() OVER w AS number, sum(bytes.bytes) OVER w AS upto, count(*) OVER () AS found
    FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
    CROSS JOIN LATERAL (
        SELECT l.*, wanted.place, {weights}
        FROM llama_logs l
        WHERE l.id = wanted.id
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (SELECT l.metadata_bytes + l.preview_bytes + l.text_bytes AS bytes) bytes
    WINDOW w AS (ORDER BY l.place ROWS UNBOUNDED PRECEDING)
) l
WHERE l.number = 1 OR l.upto <= $3::bigint
ORDER BY l.place
