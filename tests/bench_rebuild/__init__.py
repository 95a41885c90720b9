"""`make bench-rebuild`: a rebuild into an empty database, as a ratio to COPY and the same indexes.

Reading order: __main__, run, topic, rebuild, yardstick, live, load, report.
"""
