(SELECT p.source FROM event_producers p WHERE p.id = l.producer_id)
