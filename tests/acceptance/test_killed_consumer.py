"""A consumer that is killed again and again in the middle of its work loses nothing and doubles nothing."""

import asyncio
import time
from itertools import islice
from pathlib import Path
from random import Random, SystemRandom

import asyncpg
import pytest

from chaos.verdict import differing_dead_letters, judged
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import ServiceProcess
from harness.settled import wait_until_settled
from harness.topics import producing, read_all
from harness.waiting import eventually
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.demo.day import generate_day
from llamalog_tools.demo.disorder import disordered
from llamalog_tools.demo.publish import play

pytestmark = pytest.mark.apache_kafka

MESSAGES = 8_000
KILLS = 6
MIGRATION_CONSUMER_KILLS = {2, 4}
"""The turns in which the migration consumer is killed too."""


async def test_every_event_is_recorded_once_and_every_root_is_right_however_often_the_consumer_is_killed(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    names = topics(settings.topic_prefix)
    # Kafka waits for a killed consumer as long as it may be silent; small batches are killed more often.
    settings = settings.model_copy(update={"session_seconds": 1.5, "batch_records": 250})
    events_per_turn = MESSAGES // (KILLS + 1)
    day = generate_day(2 * MESSAGES // 34, seed)
    messages = islice(disordered(day, late=0.05, duplicates=0.02, bad=0.006, seed=seed), MESSAGES)

    consumer = ServiceProcess("consumer", settings, tmp_path)
    migration_consumer = ServiceProcess("migration-consumer", settings, tmp_path)
    dice = Random(seed)
    try:
        migration_consumer.start()
        async with producing(settings.kafka) as producer:
            for turn in range(KILLS):
                await play(islice(messages, events_per_turn), producer, names.entity_events.name)
                consumer.start()
                await kill_at_work(consumer, pool, dice)
                if turn in MIGRATION_CONSUMER_KILLS:
                    migration_consumer.kill()
                    migration_consumer.start()
            rest = await play(messages, producer, names.entity_events.name)
            assert rest.messages > 0
        consumer.start()
        await wait_until_settled(settings, pool)
        assert [await consumer.stop(), await migration_consumer.stop()] == [0, 0]
    finally:
        consumer.kill()
        migration_consumer.kill()

    sent = await read_all(settings.kafka, names.entity_events.name)
    assert len(sent) == MESSAGES
    valid, bad = judged(sent)
    stored = await stored_rows(pool)
    assert differences(stored, valid) == []
    assert len(stored) < len(valid), "the sample had no duplicates"
    assert any(row.revision > 1 for row in stored.values()), "the sample had no late parents"
    assert len(bad) > MESSAGES * 0.001
    assert differing_dead_letters(bad, await read_all(settings.kafka, names.dead_letters.name)) == []
    published = await read_all(settings.kafka, names.provenance.name)
    assert believed(record.value for record in published) == as_stored(stored)


async def kill_at_work(consumer: ServiceProcess, pool: asyncpg.Pool, dice: Random) -> None:
    """Wait until it has recorded something since it was started, and a random moment longer."""
    before = await reached(pool)

    async def gets_on() -> bool:
        assert consumer.exit_code is None, consumer.output
        return await reached(pool) > before

    await eventually(gets_on)
    moment = dice.uniform(0, 0.8)
    await asyncio.sleep(moment)
    consumer.kill()
    print(f"{time.strftime('%X')} killed {moment:.3f} s after its first batch, at {await reached(pool)}")


async def reached(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM consumer_positions"))
