CASE WHEN jsonb_typeof(l.metadata) = 'object' THEN l.metadata - g.keys ELSE l.metadata END
