"""Records that no reader gets, such as the markers of transactions: committed offsets pass them."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from llamalog_schemas.consumer.starts import Partitions

_logger = logging.getLogger("llamalog_schemas.consumer")

_ANSWER_SECONDS = 10.0

Offsets = Mapping[TopicPartition, int]


async def known_positions(reader: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """The next offsets to read, behind all that was fetched or skipped, of the partitions that have one."""
    known = {}
    for partition in reader.assignment():
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(0):  # without a position the client would wait for it
                known[partition] = await reader.position(partition)
    return known


class SkippedRecords:
    """Finds positions that lie above the group's committed offsets although nothing was to be processed.

    Without a commit of these the lag would stay above zero after a transaction, until the next update.
    """

    def __init__(self) -> None:
        self._committed: dict[TopicPartition, int] = {}
        self._epoch = 0

    async def commit(self, reader: AIOKafkaConsumer, offsets: Offsets) -> bool:
        """Commit offsets; whether Kafka has accepted them."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await reader.commit(dict(offsets))
        except (KafkaError, TimeoutError) as error:
            _logger.warning("Kafka did not accept the offsets, updates may come again: %r", error)
            return False
        self._committed.update(offsets)
        return True

    def forget(self, revoked: Partitions) -> None:
        """Forget partitions: another member may commit."""
        self._epoch += 1
        for partition in revoked:
            self._committed.pop(partition, None)

    async def ahead(self, reader: AIOKafkaConsumer, positions: Offsets) -> dict[TopicPartition, int]:
        """Those of the positions that lie above the committed offsets; none if these are not known."""
        epoch = self._epoch
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                for partition in positions.keys() - self._committed.keys():
                    committed = await reader.committed(partition) or 0
                    if epoch != self._epoch:
                        return {}
                    self._committed[partition] = committed
        except (KafkaError, TimeoutError):
            return {}  # the next time
        return {at: end for at, end in positions.items() if end > self._committed[at]}
