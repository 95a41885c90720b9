"""Empty databases, dropped after the test; and servers that a test may stop."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from harness.databases import DatabaseAt, go_to, new_database, run_sql
from harness.installation import installation
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack
from llamalog_tools.devstack.apache_kafka import ApacheKafka
from llamalog_tools.devstack.postgres import LocalPostgres


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture
async def other_database(postgres_url: str) -> AsyncIterator[str]:
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def templates_at(postgres_url: str) -> Iterator[dict[str, str]]:
    """The names of databases to be copied, by the revision that each was migrated to."""
    names: dict[str, str] = {}
    yield names
    drop = [f"DROP DATABASE {name}" for name in names.values()]
    if drop:
        asyncio.run(run_sql(postgres_url, *drop))


@pytest.fixture
async def database_at(postgres_url: str, templates_at: dict[str, str]) -> AsyncIterator[DatabaseAt]:
    """Databases at a revision, dropped after the test; the way to each revision is gone once."""
    async with AsyncExitStack() as made:

        async def make(revision: str) -> str:
            if revision not in templates_at:
                name = f"at_{revision}_{uuid4().hex}"
                await run_sql(postgres_url, f"CREATE DATABASE {name}")
                await go_to(urlsplit(postgres_url)._replace(path=f"/{name}").geturl(), revision)
                templates_at[revision] = name
            return await made.enter_async_context(new_database(postgres_url, templates_at[revision]))

        yield make


@pytest.fixture(scope="session")
def breakable_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Servers apart from those on which other tests' processes live on."""
    with LocalStack(tmp_path_factory.mktemp("breakable"), fast=True, notify=print) as running:
        yield running


@pytest.fixture
def breakable_postgres(breakable_stack: LocalStack) -> LocalPostgres:
    """To be stopped, and started again."""
    if not isinstance(breakable_stack.postgres, LocalPostgres):
        pytest.skip("it stops PostgreSQL, and the one that LLAMALOG_DATABASE_URL names is not ours to stop")
    return breakable_stack.postgres


@pytest.fixture
def breakable_kafka(breakable_stack: LocalStack) -> ApacheKafka:
    """To be killed, and started again."""
    if not isinstance(breakable_stack.kafka, ApacheKafka):
        pytest.skip("it stops Kafka, and the broker that LLAMALOG_KAFKA names is not ours to stop")
    return breakable_stack.kafka


@pytest.fixture
async def breakable(breakable_stack: LocalStack) -> AsyncIterator[Settings]:
    """The settings of an installation of the test's own on servers that it may stop."""
    async with new_database(breakable_stack.postgres.url) as url:
        await migrate(url)
        async with installation(breakable_stack, url, f"test-{uuid4().hex[:8]}.") as settings:
            yield settings
