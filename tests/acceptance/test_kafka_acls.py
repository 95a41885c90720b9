"""Each part with the rights that the matrix gives it, and no more, at an Apache Kafka with an authorizer."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from harness.api import running_api
from harness.commands import Commands
from harness.fast_folders import fast_folder
from harness.secured_kafka import SecuredKafka, settings_as
from harness.service import running
from harness.topics import publish_events
from harness.waiting import eventually
from histories import event, override
from llamalog_schemas.events import is_root_override
from llamalog_service.bootstrap.rebuilds import archive_topics, rebuild_log
from llamalog_service.domain.errors import ExitCode
from llamalog_service.kafka.acls import Role, default_principals
from llamalog_service.kafka.clients import KafkaForbidsError, connection_options
from llamalog_service.kafka.publisher import open_publisher
from llamalog_service.kafka.topics import Topics, topics
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

PREFIX = "secured."
PRINCIPALS = default_principals()
CHILD = event(1, "child", "lost")
_TOKENS = "ada admin admin-token-00001"

SettingsAs = Callable[[Role], Settings]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with fast_folder(tmp_path_factory.mktemp("secured")) as folder:
        broker = SecuredKafka(folder / "kafka", PRINCIPALS.values())
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@pytest.fixture
def names() -> Topics:
    return topics(PREFIX)


def settings_at(broker: SecuredKafka, database_url: str, role: Role) -> Settings:
    """The settings of a role at the broker."""
    common = Settings(
        database_url=SecretStr(database_url),
        kafka=broker.bootstrap,
        topic_prefix=PREFIX,
        consumer_port=0,
        migration_consumer_port=0,
        api_port=0,
        log_format="json",
    )
    return settings_as(common, broker, PRINCIPALS[role])


@pytest.fixture(scope="module")
def granted(broker: SecuredKafka) -> SecuredKafka:
    """The broker once the printed commands have been run: each starts a Java, and the rights last."""
    operator = Commands(settings_at(broker, "postgresql://nobody@127.0.0.1:1/none", Role.OPERATOR))
    broker.run_acls(asyncio.run(operator.done("topics", "acls")))
    return broker


@pytest.fixture
async def settings_of(database_url: str, granted: SecuredKafka) -> SettingsAs:
    """The settings of a role, once its rights are granted and an operator has made the topics."""

    def settings_of_role(role: Role) -> Settings:
        return settings_at(granted, database_url, role)

    operator = Commands(settings_of_role(Role.OPERATOR))
    await operator.done("topics", "create")
    assert "as they have to be" in await operator.done("topics", "check")
    return settings_of_role


async def refuses_writes(settings: Settings, topic: str) -> bool:
    async with AIOKafkaProducer(**connection_options(settings)) as producer:
        try:
            await producer.send_and_wait(topic, b"forged")
        except TopicAuthorizationFailedError:
            return True
    return False


async def described_topics(settings: Settings) -> set[str]:
    """The topics that Kafka lists for a principal: of others it can read nothing, either."""
    async with AIOKafkaConsumer(**connection_options(settings)) as reader:
        found: set[str] = await reader.topics()
    return found


async def refuses_reads(settings: Settings, topic: str) -> bool:
    async with AIOKafkaConsumer(**connection_options(settings), auto_offset_reset="earliest") as reader:
        reader.assign([TopicPartition(topic, 0)])
        try:
            async with asyncio.timeout(30):
                await reader.getone()
        except TopicAuthorizationFailedError:
            return True
    return False


async def test_producers_and_consumers_may_do_nothing_beyond_their_own(
    settings_of: SettingsAs, names: Topics
) -> None:
    producer, consumer = settings_of(Role.PRODUCER), settings_of(Role.CONSUMER)
    async with AIOKafkaProducer(**connection_options(producer), enable_idempotence=True) as client:
        await publish_events(client, names.entity_events.name, [event(9, "another")])
    assert await described_topics(producer) == {names.entity_events.name}
    assert await described_topics(consumer) == {names.provenance.name}
    assert await refuses_reads(producer, names.entity_events.name)
    for topic in names:
        if topic != names.entity_events:
            assert await refuses_writes(producer, topic.name), topic.name
        assert await refuses_writes(consumer, topic.name), topic.name

    foreign = AIOKafkaConsumer(
        names.provenance.name, group_id=producer.consumer_group, **connection_options(consumer)
    )
    with pytest.raises(GroupAuthorizationFailedError):
        async with foreign:
            await foreign.getone()

    forged = override(12, "lost")
    assert is_root_override(forged)
    async with open_publisher(settings_of(Role.PROVENANCE_CONSUMER), "/tests", timeout=60) as publisher:
        with pytest.raises(KafkaForbidsError, match="topics acls"):
            await publisher.publish_override(forged)


async def end_of(settings: Settings, topic: str) -> int:
    """The offset that the next message of a topic of one partition will get."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(**connection_options(settings)) as reader:
        ends = await reader.end_offsets([partition])
    return int(ends[partition])


async def test_an_override_that_kafka_refuses_is_not_published_and_the_operator_reads_which_right_is_missing(
    settings_of: SettingsAs, names: Topics
) -> None:
    topic, operator = names.overrides.name, settings_of(Role.OPERATOR)
    before = await end_of(operator, topic)
    without_right = settings_of(Role.PROVENANCE_CONSUMER).model_copy(
        update={"api_tokens": SecretStr(_TOKENS)}
    )

    for word in ("adopt-root", "revoke"):
        printed = await Commands(without_right).refused(
            word, "lost", "--reason", "a test", code=ExitCode.CONFIGURATION
        )
        assert "Kafka does not allow it" in printed
        assert topic in printed
        assert "topics acls" in printed
        assert "is published" not in printed

    async with (
        running_api(without_right) as served,
        httpx.AsyncClient(base_url=served.url, timeout=60) as client,
    ):
        client.headers["Authorization"] = "Bearer admin-token-00001"
        answer = await client.post("/overrides", json={"jobId": "lost", "adopt": True, "reason": "a test"})
        assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
        assert "Kafka does not allow it" in answer.json()["detail"]
        assert topic in answer.json()["detail"]

    assert await end_of(operator, topic) == before


async def test_each_process_does_its_round_with_the_rights_of_the_matrix(
    settings_of: SettingsAs, names: Topics, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async def roots() -> list[tuple[str | None, str | None]]:
        rows = await pool.fetch("SELECT root_job_id, origin FROM llama_logs WHERE job_id = 'child'")
        return [(row["root_job_id"], row["origin"]) for row in rows]

    operator = Commands(settings_of(Role.OPERATOR))
    async with (
        AIOKafkaProducer(**connection_options(settings_of(Role.PRODUCER))) as producer,
        running("consumer", settings_of(Role.PROVENANCE_CONSUMER), tmp_path),
        running("migration-consumer", settings_of(Role.MIGRATION_CONSUMER), tmp_path),
    ):
        await publish_events(producer, names.entity_events.name, [CHILD])
        await producer.send_and_wait(names.entity_events.name, b"no event")
        await operator.done("adopt-root", "lost", "--reason", "a test", "--by", "olga")

        async def is_adopted() -> bool:
            return await roots() == [("lost", "ADOPTED")]

        await eventually(is_adopted)
        api = settings_of(Role.API).model_copy(update={"api_tokens": SecretStr(_TOKENS)})
        async with running_api(api) as served, httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            client.headers["Authorization"] = "Bearer admin-token-00001"
            revoked = {"jobId": "lost", "adopt": False, "reason": "it was found"}
            answer = await client.post("/overrides", json=revoked)
            assert answer.status_code == 202, answer.text
            health = (await client.get("/health/summary")).json()
            assert {one["topic"] for one in health["lag"]} == {
                names.entity_events.name,
                names.overrides.name,
                names.backfill_commands.name,
            }
            assert (await client.get("/dead-letters")).json()["kept"] >= 1

            async def is_revoked() -> bool:
                return await roots() == [(None, "PENDING")]

            await eventually(is_revoked)
            first, second = (await client.get("/overrides")).json()["items"]
        assert (first["requestedBy"], second["requestedBy"], second["endedBy"]) == ("ada", "olga", "ada")
        started = await operator.done("backfill", "start", "--missing-parent", "adopt", "--watch")
        assert "completed" in started.lower()

        async def all_is_published_and_read() -> bool:
            return not await pool.fetchval("SELECT count(*) FROM root_overrides WHERE NOT is_sourced")

        await eventually(all_is_published_and_read)

    consumer = settings_of(Role.CONSUMER)
    group = f"{PRINCIPALS[Role.CONSUMER]}-1"
    reader = AIOKafkaConsumer(
        names.provenance.name, group_id=group, auto_offset_reset="earliest", **connection_options(consumer)
    )
    async with reader, asyncio.timeout(60):
        assert (await reader.getone()).value is not None
        await reader.commit()

    rebuild = settings_of(Role.REBUILD)
    archived = await archive_topics(rebuild, tmp_path / "archive", lambda _: None)
    assert archived.overrides is not None
    assert archived.overrides.messages >= 2
    report = await rebuild_log(rebuild, RebuildOptions(), lambda _: None, repair=True, processes=1)
    assert (report.differences.rows, report.overrides_differing) == (0, 0)

    rewritten = await operator.done("topics", "rewrite", "--move")
    assert f"the offsets of {rebuild.consumer_group}" in rewritten
    assert "1 messages" in await operator.done("topics", "rewrite", "--topic", "dead-letters", "--move")
