"""The garbage collector at rest, for processes that make many objects and no cycles of them."""

import gc


def rest_the_garbage_collector() -> None:
    """Look for garbage seldom: a batch makes 100,000 objects, none of them in a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
