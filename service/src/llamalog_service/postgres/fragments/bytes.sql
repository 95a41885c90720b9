CASE WHEN l.metadata IS NULL THEN 0
                 WHEN pg_column_size(l.metadata) < 2000 AND pg_column_compression(l.metadata) IS NULL
                 THEN pg_column_size(l.metadata)
                 ELSE octet_length(l.metadata::text) END
          + CASE WHEN l.preview_data IS NULL THEN 0
                 WHEN pg_column_size(l.preview_data) < 2000 AND pg_column_compression(l.preview_data) IS NULL
                 THEN pg_column_size(l.preview_data)
                 ELSE octet_length(l.preview_data::text) END
