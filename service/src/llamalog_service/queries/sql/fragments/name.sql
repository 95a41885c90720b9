left(CASE WHEN jsonb_typeof(l.metadata -> 'title') = 'string' AND l.metadata ->> 'title' <> '' THEN l.metadata ->> 'title'
                     WHEN jsonb_typeof(l.metadata -> 'name') = 'string' AND l.metadata ->> 'name' <> '' THEN l.metadata ->> 'name'
                END, 201)
