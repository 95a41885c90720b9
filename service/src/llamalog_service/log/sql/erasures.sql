-- All erasures: whom by digest, and the metadata keys.
SELECT user_digest, metadata_keys FROM erasures
