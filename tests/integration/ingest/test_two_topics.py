"""The consumer group on both of its topics, on a real broker: starts, lag, and a database that went back."""

from pathlib import Path

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.service import running
from harness.settled import wait_until_committed, wait_until_consumed, wait_until_settled
from harness.topics import committed_offsets, delete_topic, publish
from harness.waiting import eventually
from histories import event, override
from llamalog_schemas.events import Event
from llamalog_service.domain.errors import ExitCode
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

CHILD: list[Event] = [event(1, "child", "lost"), event(2, "other"), event(3, "third")]
OVERRIDES: list[Event] = [override(11, "lost"), override(12, "gone")]


async def test_both_topics_are_read_and_committed_and_read_on_from_the_databases_position(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, CHILD + OVERRIDES)
    names = topics(settings.topic_prefix)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
        assert differences(await stored_rows(pool), CHILD + OVERRIDES) == []
    committed = await committed_offsets(settings.kafka, settings.consumer_group, names.overrides.name)
    assert committed == {0: 2}

    await pool.execute("DELETE FROM root_overrides WHERE job_id = 'gone'")
    await pool.execute("UPDATE consumer_positions SET next_offset = 1 WHERE topic = $1", names.overrides.name)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):

        async def is_read_again() -> bool:
            return bool(await pool.fetchval("SELECT count(*) = 2 FROM root_overrides WHERE is_sourced"))

        await eventually(is_read_again)
        await wait_until_settled(settings, pool)
    positions = await pool.fetch(
        "SELECT topic, sum(next_offset)::int FROM consumer_positions GROUP BY topic ORDER BY topic"
    )
    assert [tuple(one) for one in positions] == [(names.entity_events.name, 3), (names.overrides.name, 2)]


@pytest.mark.apache_kafka
async def test_a_consumer_ends_with_a_sentence_when_the_topic_of_overrides_is_gone(
    settings: Settings, tmp_path: Path
) -> None:
    name = topics(settings.topic_prefix).overrides.name
    await publish(settings, CHILD + OVERRIDES)
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_until_consumed(settings)
        await wait_until_committed(settings, settings.consumer_group, name)
        await delete_topic(settings.kafka, name)
        assert await consumer.ended() == ExitCode.BROKEN
        assert f"{name}: the topic is not there any more" in consumer.output
