"""`make bench-queries`: the questions to a log of a million rows, against bare SQL, while events come in.

Reading order: __main__, run, questions, load, over_http, report.
"""
