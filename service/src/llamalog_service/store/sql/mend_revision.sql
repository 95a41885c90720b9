-- A revision that no live row has reached: of a row that was gone others may know any up to it.
SELECT coalesce(max(revision), 0) + 1 FROM llama_logs
