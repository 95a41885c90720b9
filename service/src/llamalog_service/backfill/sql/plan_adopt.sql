-- Let the tops $1 count as adopted.
UPDATE rule_ends SET ending = 'ADOPTED', root = top WHERE ending = 'OPEN' AND top = ANY ($1::text[])
