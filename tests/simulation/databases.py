"""A migrated database for a stage."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from harness.databases import new_database
from llamalog_service.adoption.migration_runner import migrate


@contextmanager
def migrated_database(postgres_url: str, template: str = "template1") -> Iterator[str]:
    """The address of an empty database at the newest revision, dropped in the end."""
    with asyncio.Runner() as runner:
        database = new_database(postgres_url, template)
        url = runner.run(database.__aenter__())
        try:
            runner.run(migrate(url))
            yield url
        finally:
            runner.run(database.__aexit__(None, None, None))
