"""What a process tells about itself, over HTTP: whether it gets on, and its metrics.

Reading order: liveness, signals, metrics, histogram, table_gauges, server, monitor.
"""
