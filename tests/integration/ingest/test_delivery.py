"""Delivery through faults: nothing valid is lost, nothing written twice, nothing committed too early."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import ServiceProcess, running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.topics import delete_topic, grow_topic, header, lag, producing, publish, publish_events, read_all
from harness.waiting import eventually
from histories import chains
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import ExitCode
from llamalog_service.kafka.topics import create_topics, topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Batches small enough to be interrupted in the middle, a session short enough to wait for its end."""
    return settings.model_copy(update={"session_seconds": 1.5, "batch_records": 200})


async def assert_all_is_there(settings: Settings, pool: asyncpg.Pool, events: Sequence[Event]) -> None:
    """The table is the fold, the provenance topic carries it, and there is no dead letter."""
    stored = await stored_rows(pool)
    assert differences(stored, events) == []
    names = topics(settings.topic_prefix)
    published = await read_all(settings.kafka, names.provenance.name)
    assert believed(record.value for record in published) == as_stored(stored)
    assert await read_all(settings.kafka, names.dead_letters.name) == []


async def row_count(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM llama_logs"))


async def until_it_works(pool: asyncpg.Pool, rows: int = 1) -> None:
    async def is_at_work() -> bool:
        return await row_count(pool) >= rows

    await eventually(is_at_work)


async def test_a_database_restored_from_a_backup_catches_up_by_itself(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    events = chains(600)
    await publish(settings, events)
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings)
        assert await consumer.stop() == 0
    await pool.execute(
        "DELETE FROM llama_logs WHERE id IN (SELECT id FROM llama_logs ORDER BY random() LIMIT 400)"
    )
    await pool.execute("UPDATE consumer_positions SET next_offset = next_offset / 3 WHERE partition < 3")
    await pool.execute("DELETE FROM consumer_positions WHERE partition >= 3")
    await pool.execute("UPDATE consumer_positions SET next_offset = 0")
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await until_it_works(pool, rows=len(events))
        await wait_until_settled(settings, pool)
    assert differences(await stored_rows(pool), events) == []


async def test_a_position_past_the_end_of_a_topic_stops_the_consumer_with_an_explanation(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, chains(30))
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings)
        assert await consumer.stop() == 0
    await pool.execute("UPDATE consumer_positions SET next_offset = next_offset + 1 WHERE partition = 3")
    async with running("consumer", settings, tmp_path) as consumer:
        assert await consumer.ended() == 1
        assert "partition 3" in consumer.output
        assert "deleted and created again" in consumer.output
        assert "Traceback" not in consumer.output


async def test_a_topic_deleted_under_a_consumer_ends_it_and_created_again_stops_the_next_with_an_explanation(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, admin: AIOKafkaAdminClient
) -> None:
    names = topics(settings.topic_prefix)
    await publish(settings, chains(300))
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings)
        await delete_topic(settings.kafka, names.entity_events.name)
        assert await consumer.ended() == ExitCode.BROKEN
        assert f"{names.entity_events.name}: the topic is not there any more" in consumer.output
        await create_topics(admin, names)
    async with running("consumer", settings, tmp_path) as consumer:
        assert await consumer.ended() == ExitCode.ERROR
        assert "deleted and created again" in consumer.output
        assert "Traceback" not in consumer.output


async def test_offsets_wait_for_dead_letters_that_kafka_does_not_accept(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, admin: AIOKafkaAdminClient
) -> None:
    names = topics(settings.topic_prefix)
    events = chains(30)
    async with running("consumer", settings, tmp_path) as consumer:
        async with producing(settings.kafka) as producer:
            await producer.send_and_wait(names.entity_events.name, b"bad before", partition=0)
            await wait_until_consumed(settings)
            await delete_topic(settings.kafka, names.dead_letters.name)
            await producer.send_and_wait(names.entity_events.name, b"bad meanwhile", partition=0)
            await publish_events(producer, names.entity_events.name, events, partition=0)
        await until_it_works(pool)
        await consumer.logs_event("waiting")
        assert await lag(settings.kafka, settings.consumer_group, names.entity_events.name) > 0
        await create_topics(admin, names)
        await wait_until_consumed(settings)
        assert consumer.exit_code is None
    assert differences(await stored_rows(pool), events) == []
    rejected = await read_all(settings.kafka, names.dead_letters.name)
    assert {(dead_letter.value, header(dead_letter, "reason")) for dead_letter in rejected} == {
        (b"bad meanwhile", "not-json")
    }


async def test_offsets_wait_for_provenance_that_kafka_does_not_accept(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, admin: AIOKafkaAdminClient
) -> None:
    names = topics(settings.topic_prefix)
    before, meanwhile = chains(30), chains(30, first=1000)
    async with running("consumer", settings, tmp_path) as consumer:
        await publish(settings, before)
        await wait_until_consumed(settings)
        await delete_topic(settings.kafka, names.provenance.name)
        await publish(settings, meanwhile)
        await until_it_works(pool, rows=31)
        await consumer.logs_event("waiting")
        assert await lag(settings.kafka, settings.consumer_group, names.entity_events.name) > 0
        await create_topics(admin, names)
        await wait_until_consumed(settings)
        assert consumer.exit_code is None
    published = await read_all(settings.kafka, names.provenance.name)
    assert {record.key.decode() for record in published} == {one.id for one in meanwhile}


async def test_a_consumer_stopped_in_the_middle_of_its_work_ends_well_and_loses_nothing(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    events = chains(6000)
    await publish(settings, events)
    async with running("consumer", settings, tmp_path) as consumer:
        await until_it_works(pool)
        assert await consumer.stop() == 0
        assert 0 < await row_count(pool) < len(events)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
    await assert_all_is_there(settings, pool, events)


async def test_consumers_that_come_and_go_in_the_middle_of_batches_share_the_work(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    events = chains(9000)
    await publish(settings, events)
    async with (
        running("migration-consumer", settings, tmp_path),
        running("consumer", settings, tmp_path) as first,
    ):
        await until_it_works(pool)
        async with running("consumer", settings, tmp_path) as second:
            await second.logs_event("reading")
            await second.stop()
        async with running("consumer", settings, tmp_path) as third:
            await third.logs_event("reading")
            third.kill()
        await wait_until_settled(settings, pool)
        assert await first.stop() == 0
    await assert_all_is_there(settings, pool, events)


async def freeze_in_a_transaction(consumer: ServiceProcess, pool: asyncpg.Pool) -> None:
    """Stop it in the middle of recording: its transaction stays open, with all its locks."""

    async def is_caught() -> bool:
        consumer.signal(signal.SIGSTOP)
        await asyncio.sleep(0.02)  # what it has requested is answered
        if await pool.fetchval(_HAS_AN_IDLE_TRANSACTION):
            return True
        consumer.signal(signal.SIGCONT)
        return False

    await eventually(is_caught)


_HAS_AN_IDLE_TRANSACTION = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database()
          AND application_name = 'llamalog consumer'
          AND state = 'idle in transaction'
    )
"""


async def test_a_consumer_that_was_thought_dead_comes_back_into_a_batch_that_is_anothers(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """It was frozen within a transaction, and its commits fail, as those in a rebalance do."""
    events = chains(9000)
    await publish(settings, events)
    async with (
        running("migration-consumer", settings, tmp_path),
        running("consumer", settings, tmp_path) as frozen,
    ):
        await until_it_works(pool)
        await freeze_in_a_transaction(frozen, pool)
        async with running("consumer", settings, tmp_path) as other:
            await other.logs_event("reading")
            await until_it_works(pool, rows=await row_count(pool) + 1)
            frozen.signal(signal.SIGCONT)
            await frozen.logs_event("reading", times=2)
            await wait_until_settled(settings, pool)
            assert [await frozen.stop(), await other.stop()] == [0, 0]
    await assert_all_is_there(settings, pool, events)


async def test_partitions_that_a_topic_gets_are_read_long_before_the_clients_metadata_is_old(
    settings: Settings, pool: asyncpg.Pool, admin: AIOKafkaAdminClient, tmp_path: Path
) -> None:
    """On a quiet machine within half a minute; the client by itself looks after five."""
    topic = topics(settings.topic_prefix).entity_events.name
    events = chains(12)

    async def all_is_recorded() -> bool:
        return await row_count(pool) == len(events)

    async with running("consumer", settings, tmp_path) as consumer:
        await consumer.logs_event("reading")
        await grow_topic(admin, topic, 8)
        async with producing(settings.kafka) as producer:
            for number, event in enumerate(events):
                await publish_events(producer, topic, [event], partition=6 + number % 2)
        await eventually(all_is_recorded)
