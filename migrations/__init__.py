"""The history of the database: env.py says how it is run, versions/ what happened."""
