"""What backfills are tried on: a broken history, without origins."""

import asyncpg
import pytest

from harness.backfills import BROKEN, Backfills, forget_roots
from harness.writers import KeptMessages, Writer
from llamalog_schemas.events import Event


@pytest.fixture
def backfills(pool: asyncpg.Pool) -> Backfills:
    return Backfills(pool)


@pytest.fixture
async def log(pool: asyncpg.Pool) -> list[Event]:
    """The broken history, every row of it without an origin."""
    await Writer(pool, KeptMessages()).write(*BROKEN)
    await forget_roots(pool)
    return BROKEN
