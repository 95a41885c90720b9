"""An installation of a test's own: its database, and topics under its own prefix."""

from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from llamalog_service.publish.topics import create_topics, topics
from llamalog_service.settings import Settings
from llamalog_service.stack import LocalStack


async def make_installation(stack: LocalStack, database_url: str, prefix: str) -> Settings:
    """Create the topics under a prefix; the settings of processes that work with them and the database."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka.bootstrap)
    await admin.start()
    try:
        await create_topics(admin, topics(prefix))
    finally:
        await admin.close()
    return Settings(
        database_url=SecretStr(database_url),
        kafka=stack.kafka.bootstrap,
        kafka_durable=stack.kafka.durable,
        topic_prefix=prefix,
        consumer_group=f"{prefix}provenance",
        migration_group=f"{prefix}migration",
        consumer_port=0,
        migrator_port=0,
        log_format="json",
    )
