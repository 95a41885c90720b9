-- Forget how far a telling to the topic $1 was.
DELETE FROM genesis_progress WHERE topic = $1
