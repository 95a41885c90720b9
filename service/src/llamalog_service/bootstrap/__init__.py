"""Composition root: builds the pools, clients and processes of each command from its settings."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.settings import DatabaseSettings


def tune_garbage_collector() -> None:
    """Collect seldom, in processes whose batches create 100,000 objects and no cycles of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@asynccontextmanager
async def open_log(settings: DatabaseSettings) -> AsyncIterator[Reader]:
    """A reader of the log, over a pool of its own."""
    async with open_pool(settings, name="llamalog reading", only_reads=True) as pool:
        yield Reader(pool)
