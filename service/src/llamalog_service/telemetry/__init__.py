"""Metrics, liveness and logs of a process, and their HTTP endpoints."""
