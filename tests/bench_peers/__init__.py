"""`make bench-peers`: this service beside what else could be picked for its work, in alternating rounds.

Reading order: __main__, run, outcome, flat, own, connect, tutorial, rentgen, report, plot.
"""
