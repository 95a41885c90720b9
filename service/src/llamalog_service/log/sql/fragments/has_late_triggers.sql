-- Whether triggers of the table's owner run after a row was written: what a statement returns is not the last word on it then.
-- Of the bits of tgtype, 2 is that of triggers before the write.
EXISTS (
    SELECT FROM pg_trigger
    WHERE tgrelid = 'llama_logs'::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 2 = 0
)
