-- The latest retraction of each of the rows $1 (uuid[]), of those that were recorded by $2 (timestamptz), if that is given; of its
-- reason the first $3 characters.
SELECT x.row_id, x.id, x.retracted_at AT TIME ZONE 'UTC' AS at, left(x.reason, $3::integer) AS reason, x.requested_by
FROM unnest($1::uuid[]) AS wanted (row_id)
CROSS JOIN LATERAL (
    SELECT r.row_id, r.id, r.retracted_at, r.reason, r.requested_by
    FROM retractions r
    WHERE r.row_id = wanted.row_id AND r.retracted AND ($2::timestamptz IS NULL OR r.recorded_at <= $2::timestamptz)
    ORDER BY r.retracted_at DESC, r.id DESC
    LIMIT 1
) x
