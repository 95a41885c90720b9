-- Whether the job $1 is the root of its own rows, or, never seen, was adopted.
SELECT EXISTS (SELECT FROM llama_logs l WHERE l.root_job_id = $1::text AND l.job_id = $1::text AND l.origin = 'ROOT')
    OR EXISTS (SELECT FROM llama_logs l WHERE l.root_job_id = $1::text AND l.origin = 'ADOPTED')
