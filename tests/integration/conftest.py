"""Empty databases, dropped after the test."""

from collections.abc import AsyncIterator

import pytest

from harness.databases import new_database


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture
async def other_database(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url
