"""The only builder of pools, producers and brokers; the only user of settings.

adoption        a database looked at and taken over
api             the log over HTTP, served until told to stop
backfills       commands to the migration consumer, and how far its runs are
connections     pools and clients
consumers       the two consumers, run until told to stop
dead_letters    what was refused, read and sent back
overrides         operators' words about jobs, published
topics          the topics created and judged
database        the database brought up to date
following       the log read, and followed as it grows
observation     reads for whoever watches: traffic, counts, timelines
provenance      what is told of rows, followed from now on
sample          the sample day played to Kafka
"""

import gc


def tune_garbage_collector() -> None:
    """Collect seldom, in processes whose batches create 100,000 objects and no cycles of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
