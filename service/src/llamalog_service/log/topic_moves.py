"""The table's positions when the topic of entity events is moved: which topics they name, and their move."""

from collections.abc import Mapping, Sequence

import asyncpg

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.kafka.topics import names_former_topic
from llamalog_service.postgres.statements import Row, sql
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import setting_name

GroupPositions = Mapping[tuple[str, int], int]
"""The next offsets of one topic, by consumer group and partition."""


class OtherTopicRecordedError(LlamalogError):
    """The table's positions are of another topic of entity events than the settings name."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, topic: str, recorded: str) -> None:
        super().__init__(
            f"The table has recorded the events of {recorded}, and the settings name {topic}: with both, "
            "positions would be mixed up. Nothing was read. If the topic was moved, set "
            f"{setting_name('entity_events_topic')}={recorded} for every process; if it is to be moved, "
            f"`llamalog topics rewrite --to {topic} --move` completes that first; if the database was "
            f"restored from a backup of before the move, delete the rows of {recorded} from "
            f"consumer_positions: {topic} is then read from its start, which writes nothing twice."
        )


class PositionsChangedError(LlamalogError):
    """A consumer has recorded events of a topic while its positions were translated."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"A consumer has recorded events of {topic} meanwhile. Nothing was moved in the table; what was "
            "copied is kept. Stop the consumers, and run the same command again."
        )


async def require_recorded_topic(pool: asyncpg.Pool, topic: str) -> None:
    """Refuse to work with a topic of entity events while the table has positions in another one.

    Raises:
        OtherTopicRecordedError: it has.
    """
    recorded = await retry_until_available(
        lambda: pool.fetch(sql("live_topics")), doing="reading the topics of the positions"
    )
    others = [record["topic"] for record in recorded if names_former_topic(topic, record["topic"])]
    if others:
        raise OtherTopicRecordedError(topic, others[-1])


async def positions_of_topic(pool: asyncpg.Pool, topic: str) -> dict[tuple[str, int], int]:
    """The next offsets that the table has recorded of a topic, by group and partition."""
    return _by_group(await pool.fetch(sql("positions_of_topic"), topic))


async def move_positions(
    pool: asyncpg.Pool, source: str, target: str, recorded: GroupPositions, moved: GroupPositions
) -> None:
    """Replace all positions in one topic by those in another, in one transaction.

    Args:
        recorded: the positions in `source` that were translated.
        moved: what they became in `target`.

    Raises:
        PositionsChangedError: the table has others by now.
    """
    groups, partitions = [group for group, _ in moved], [partition for _, partition in moved]
    async with pool.acquire() as connection, connection.transaction():
        if _by_group(await connection.fetch(sql("drop_positions"), source)) != recorded:
            raise PositionsChangedError(source)
        await connection.execute(sql("set_positions"), target, groups, partitions, list(moved.values()))


def _by_group(records: Sequence[Row]) -> dict[tuple[str, int], int]:
    return {(record["consumer_group"], record["partition"]): record["next_offset"] for record in records}
