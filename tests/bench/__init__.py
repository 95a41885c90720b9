"""`make bench`: how fast the real consumer works off a backlog, as a ratio to COPY of the same rows.

Reading order: __main__, run, backlog, installation, drain, floor, costs, yardstick, checks, report;
profiling. Other benches use its parts, and `forked` and `machine` too.
"""
