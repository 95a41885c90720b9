"""`make bench-backfill`: a commanded backfill of a million rows, as a ratio to one plain UPDATE of them.

Reading order: __main__, run, rows, traffic, yardstick, backfill, oracle, report.
"""
