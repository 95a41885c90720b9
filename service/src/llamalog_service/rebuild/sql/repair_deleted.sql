-- The rows that were deleted because they are in no event.
SELECT id FROM llamalog_rebuild.differences WHERE kind = 'extra' AND repaired
