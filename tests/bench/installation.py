"""An installation of its own for every drain: a migrated, empty database and empty topics."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from bench.servers import Servers
from llamalog_service.publish.topics import Topics, create_topics, topics
from llamalog_service.stack import LocalPostgres
from llamalog_service.store.schema import migrate

PARTITIONS = 6


class Installation(NamedTuple):
    """Where an installation's data is, and what its processes are told."""

    database_url: str
    bootstrap: str
    topics: Topics
    prefix: str

    @property
    def consumer_group(self) -> str:
        """The provenance consumer's group."""
        return f"{self.prefix}provenance"

    @property
    def migration_group(self) -> str:
        """The migration consumer's group."""
        return f"{self.prefix}migration"

    def environment(self) -> dict[str, str]:
        """The whole environment of a process of this installation; every other setting is the default."""
        own = {
            "DATABASE_URL": self.database_url,
            "KAFKA": self.bootstrap,
            "TOPIC_PREFIX": self.prefix,
            "CONSUMER_GROUP": self.consumer_group,
            "MIGRATION_GROUP": self.migration_group,
            "CONSUMER_PORT": "0",
            "MIGRATOR_PORT": "0",
            "LOG_FORMAT": "json",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("LLAMALOG_")}
        return others | {f"LLAMALOG_{name}": value for name, value in own.items()}


@asynccontextmanager
async def new_installation(servers: Servers, name: str) -> AsyncIterator[Installation]:
    """Make the database `name` and topics under that prefix; the database is dropped in the end."""
    async with new_database(servers.postgres, name) as database_url:
        prefix = f"{name}."
        wanted = topics(prefix, partitions=PARTITIONS)
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka.bootstrap)
        await admin.start()
        try:
            await create_topics(admin, wanted)
            yield Installation(database_url, servers.kafka.bootstrap, wanted, prefix)
        finally:
            await admin.delete_topics([topic.name for topic in wanted])
            await admin.close()


@asynccontextmanager
async def new_database(postgres: LocalPostgres, name: str) -> AsyncIterator[str]:
    """The URL of a migrated database, dropped in the end."""
    server = await asyncpg.connect(postgres.url)
    try:
        await server.execute(f'CREATE DATABASE "{name}"')
        try:
            url = postgres.url_of(name)
            await migrate(url)
            yield url
        finally:
            await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await server.close()
