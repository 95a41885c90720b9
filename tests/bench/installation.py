"""An installation of its own for every drain: a migrated, empty database and empty topics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient

from bench.servers import Servers
from harness.databases import new_database
from harness.environments import without_settings
from llamalog_service.adoption.migration_runner import migrate
from llamalog_service.kafka.topics import Topics, create_topics, topics

PARTITIONS = 6


class Installation(NamedTuple):
    """Where an installation's data is, and the settings of its processes."""

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
            "MIGRATION_CONSUMER_PORT": "0",
            "LOG_FORMAT": "json",
        }
        return without_settings() | {f"LLAMALOG_{name}": value for name, value in own.items()}


@asynccontextmanager
async def new_installation(servers: Servers, name: str) -> AsyncIterator[Installation]:
    """Make a database, and topics under the prefix `name`; both are dropped in the end."""
    async with new_database(servers.postgres.url) as database_url:
        await migrate(database_url)
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
