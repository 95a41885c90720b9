"""`make bench`: how fast the real consumer works off a backlog, as a ratio to COPY of the same rows.

Reading order: __main__, run, backlog, installation, drain, costs, yardstick, checks, report; profiling.
"""
