-- Up to where the telling is, and how many were told.
SELECT what, last_told, told FROM genesis
