-- Up to which row an interrupted telling to the topic $1 had come.
SELECT last_row FROM genesis_progress WHERE topic = $1
