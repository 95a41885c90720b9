"""The table's positions while a topic is moved: replaced at once, or not at all."""

import asyncpg
import pytest

from llamalog_service.log.topic_moves import (
    OtherTopicRecordedError,
    PositionsChangedError,
    move_positions,
    positions_of_topic,
    require_recorded_topic,
)

OLD, NEW = "llamalog.entity-events", "llamalog.entity-events-2"
RECORDED = {("one", 0): 7, ("one", 1): 3, ("other", 0): 5}
MOVED = {("one", 0): 6, ("one", 1): 2, ("other", 0): 4}


@pytest.fixture(autouse=True)
async def _recorded(pool: asyncpg.Pool) -> None:
    await pool.executemany(
        "INSERT INTO consumer_positions (consumer_group, topic, partition, next_offset) "
        "VALUES ($1, $2, $3, $4)",
        [(group, OLD, partition, offset) for (group, partition), offset in RECORDED.items()]
        + [("one", "llamalog.overrides", 0, 1)],
    )


async def test_the_positions_of_all_groups_are_those_in_the_new_topic_afterwards(pool: asyncpg.Pool) -> None:
    await move_positions(pool, OLD, NEW, RECORDED, MOVED)
    assert await positions_of_topic(pool, OLD) == {}
    assert await positions_of_topic(pool, NEW) == MOVED
    assert await positions_of_topic(pool, "llamalog.overrides") == {("one", 0): 1}


async def test_nothing_moves_if_a_consumer_has_recorded_more_meanwhile(pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE consumer_positions SET next_offset = 8 WHERE next_offset = 7")
    with pytest.raises(PositionsChangedError):
        await move_positions(pool, OLD, NEW, RECORDED, MOVED)
    assert await positions_of_topic(pool, OLD) == {**RECORDED, ("one", 0): 8}
    assert await positions_of_topic(pool, NEW) == {}


async def test_a_topic_of_the_family_that_is_not_the_recorded_one_is_refused(pool: asyncpg.Pool) -> None:
    await require_recorded_topic(pool, OLD)
    await require_recorded_topic(pool, "another.entity-events")
    with pytest.raises(OtherTopicRecordedError, match=f"ENTITY_EVENTS_TOPIC={OLD} ") as refused:
        await require_recorded_topic(pool, NEW)
    assert f"delete the rows of {OLD} from consumer_positions" in str(refused.value)
    await move_positions(pool, OLD, NEW, RECORDED, MOVED)
    await require_recorded_topic(pool, NEW)
    with pytest.raises(OtherTopicRecordedError, match=f"ENTITY_EVENTS_TOPIC={NEW} "):
        await require_recorded_topic(pool, OLD)
