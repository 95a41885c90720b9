-- No row is without a time: NULLS FIRST is an order that no other index has, and so keeps the planner from reading by time
-- in the hope to meet a job's rows soon.
l.created_at NULLS FIRST, l.id
