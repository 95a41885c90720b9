"""An old database that is to be adopted, and who adopts it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.adopter import Adopter
from harness.databases import new_database


@pytest.fixture
async def adopter(postgres_url: str, tmp_path: Path) -> AsyncIterator[Adopter]:
    """Of an empty database."""
    async with new_database(postgres_url) as url:
        yield Adopter(url, tmp_path)
