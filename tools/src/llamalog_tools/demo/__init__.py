"""The sample catalogue: a day of entity events, reproducible from a seed, for demonstrations and tests.

Reading order: day, events, producers, disorder, damage, publish, sent.
"""
