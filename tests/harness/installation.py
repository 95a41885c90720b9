"""An installation of a test's own: its database, and topics under its own prefix."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from llamalog_service.kafka.topics import create_topics, topics
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack


@asynccontextmanager
async def installation(stack: LocalStack, database_url: str, prefix: str) -> AsyncIterator[Settings]:
    """The settings of processes that work with the database and with topics under a prefix, gone in the end.

    A broker that keeps the topics of every test takes half a minute to start again after a kill.
    """
    names = topics(prefix)
    async with _administering(stack) as admin:
        await create_topics(admin, names)
    yield Settings(
        database_url=SecretStr(database_url),
        kafka=stack.kafka.bootstrap,
        kafka_durable=stack.kafka.durable,
        topic_prefix=prefix,
        consumer_group=f"{prefix}provenance",
        migration_group=f"{prefix}migration",
        consumer_port=0,
        migration_consumer_port=0,
        log_format="json",
    )
    async with _administering(stack) as admin:
        await admin.delete_topics([topic.name for topic in names])


@asynccontextmanager
async def _administering(stack: LocalStack) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
