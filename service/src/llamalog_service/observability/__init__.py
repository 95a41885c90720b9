"""What a process tells about itself: whether it gets on, and its metrics; over HTTP, from a thread of its own.

Reading order: liveness, signals, metrics, histogram, table_gauges, server, monitor.
"""
