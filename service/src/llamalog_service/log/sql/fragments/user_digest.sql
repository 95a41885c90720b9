encode(sha256(convert_to('llamalog-user:' || l.user_id, 'UTF8')), 'hex')
