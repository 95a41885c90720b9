-- Tell everything again from the first.
DELETE FROM genesis
