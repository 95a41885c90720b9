"""`make bench-latency`: how soon a sent event is a committed row and a provenance record, at a steady rate.

Reading order: __main__, run, sender, observer, delays, report.
"""
