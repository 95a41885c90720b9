"""Faults planted in the source, one at a time, to see whether the named tests catch each of them.

faults      the list: a file, its text, what is put in its place, and the tests that have to fail
planting    a copy of the checkout, in which a fault is planted and tests are run
__main__    `python -m planted_faults`
"""
