"""One stage for the scenarios of a file."""

from collections.abc import Iterator

import pytest

from simulation.databases import migrated_database
from simulation.stage import Stage


@pytest.fixture(scope="module")
def stage(postgres_url: str, template_database: str) -> Iterator[Stage]:
    with migrated_database(postgres_url, template_database) as url, Stage(url) as stage:
        yield stage
