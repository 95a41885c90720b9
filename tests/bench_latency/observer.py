"""A consumer of the provenance topic that notes when the first record of each row arrived."""

import asyncio
import gc
import time
from multiprocessing.connection import Connection
from typing import Final, NamedTuple
from uuid import UUID

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.installation import Installation

_POLL_MS: Final = 100


class Arrivals(NamedTuple):
    """When the first record of each row was handed to a consumer, by the clock on the wall."""

    times: dict[UUID, float]


def observe(installation: Installation, connection: Connection) -> None:
    """Read until there is a word, then to the end of the topic, and answer with the `Arrivals`.

    A record's key is the id of its row, so that no value has to be read.
    """
    gc.disable()
    connection.send(Arrivals(uvloop.run(_observe(installation, connection))))
    connection.recv()


async def _observe(installation: Installation, connection: Connection) -> dict[UUID, float]:
    topic = installation.topics.provenance
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    first: dict[bytes, float] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=installation.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer.assign(partitions)
    async with consumer:
        await consumer.end_offsets(partitions)
        connection.send("ready")
        finishing = asyncio.create_task(asyncio.to_thread(connection.recv))
        while True:
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            now = time.time()
            for share in fetched.values():
                for record in share:
                    first.setdefault(record.key, now)
            if not fetched and finishing.done():
                ends = await consumer.end_offsets(partitions)
                if all([await consumer.position(at) >= end for at, end in ends.items()]):
                    break
    return {UUID(key.decode()): at for key, at in first.items()}
