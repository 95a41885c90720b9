CASE WHEN l.metadata IS NULL THEN 0
                 WHEN pg_column_size(l.metadata) < 2000 AND pg_column_compression(l.metadata) IS NULL
                 THEN pg_column_size(l.metadata)
                 ELSE octet_length(l.metadata::text) END AS metadata_bytes,
            CASE WHEN l.preview_data IS NULL THEN 0
                 WHEN pg_column_size(l.preview_data) < 2000 AND pg_column_compression(l.preview_data) IS NULL
                 THEN pg_column_size(l.preview_data)
                 ELSE octet_length(l.preview_data::text) END AS preview_bytes,
            coalesce(octet_length(l.operation), 0) + coalesce(octet_length(l.reason), 0)
          + coalesce(octet_length(l.error_message), 0) + coalesce(octet_length(l.error_code), 0)
          + coalesce(octet_length(l.job_id), 0) + coalesce(octet_length(l.parent_job_id), 0)
          + coalesce(octet_length(l.root_job_id), 0) + coalesce(octet_length(l.declared_root_job_id), 0)
          + coalesce(octet_length(l.triggered_by), 0) + coalesce(octet_length(l.user_id), 0)
          + coalesce(octet_length({producer}), 0) + coalesce(octet_length(l.traceparent), 0)
          + CASE WHEN pg_column_compression(l.sources) IS NULL THEN coalesce(pg_column_size(l.sources), 0)
                 ELSE octet_length(l.sources::text) END
          + CASE WHEN pg_column_compression(l.fields_enriched) IS NULL THEN coalesce(pg_column_size(l.fields_enriched), 0)
                 ELSE octet_length(l.fields_enriched::text) END
          + CASE WHEN pg_column_compression(l.cycle_members) IS NULL THEN coalesce(pg_column_size(l.cycle_members), 0)
                 ELSE octet_length(l.cycle_members::text) END AS text_bytes
