"""Composition root: builds the pools, clients and processes of each command from its settings."""

import gc


def tune_garbage_collector() -> None:
    """Collect seldom, in processes whose batches create 100,000 objects and no cycles of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
