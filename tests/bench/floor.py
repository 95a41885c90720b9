"""The I/O floor: a process that reads the backlog, writes as much as the service does, and decides nothing.

Fetch, COPY of rows that were prepared before the clock starts, prepared provenance records in batches by
partition, commit of the offsets; a batch is copied while the one before is published. What the service takes
beyond it is decoding, roots, look-ups, verification and recomputes.
"""

import asyncio
import gc
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.costs import CpuSeconds, cpu_seconds, cpu_spent
from bench.forked import forked
from bench.installation import PARTITIONS, Installation
from bench.yardstick import (
    COLUMNS,
    Records,
    add_numbers,
    connect_for_copying,
    copy_records,
    numbers_of,
)
from llamalog_service.domain.fold import FoldedRow
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import MessageProducer, provenance_message

_BATCH: Final = 3_000
_BATCH_BYTES: Final = 512 * 1024
_READY, _GO, _END = "ready", "go", "end"


class Output(NamedTuple):
    """What the floor writes, prepared: rows for COPY and their provenance records, in step.

    Attributes:
        producers: their numbers, which the database gets before the clock starts.
    """

    rows: Records
    messages: list[MessageToSend]
    producers: dict[str | None, int | None]


class Floored(NamedTuple):
    """One pass of the floor: seconds, and CPU seconds by process."""

    seconds: float
    cpu: CpuSeconds


def prepared_output(rows: Iterable[FoldedRow]) -> Output:
    """The rows of the fold as COPY takes them, and the record of each."""
    folded, now = list(rows), datetime.now(UTC)
    return Output(
        copy_records(folded),
        [
            provenance_message(StoredRow(row.content, row.root, 1, now))
            for row in folded
            if type(row.content) is RowContent
        ],
        numbers_of(row.content for row in folded),
    )


async def run_floor(
    installation: Installation, output: Output, messages: int, servers: Mapping[str, int]
) -> Floored:
    """Have a process read a backlog and write the output.

    Args:
        messages: how many there are in the topic of entity events.
        servers: pids of the servers whose CPU time is counted, by name.

    Raises:
        DrainError: it did not come to an end.
    """
    with forked("The floor", _work, installation, output, messages) as process:
        await process.answer()
        pids = {"floor": process.pid, **servers}
        before = cpu_seconds(pids)
        process.send(_GO)
        seconds = float(await process.answer())
        spent = cpu_spent(before, cpu_seconds(pids))
        process.send(_END)
    return Floored(seconds, spent)


def _work(installation: Installation, output: Output, messages: int, connection: Connection) -> None:
    gc.disable()
    uvloop.run(_read_and_write(installation, output, messages, connection))


async def _read_and_write(
    installation: Installation, output: Output, messages: int, connection: Connection
) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=installation.bootstrap,
        group_id=f"{installation.prefix}floor",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_BATCH_BYTES,
    )
    consumer.assign(
        [TopicPartition(installation.topics.entity_events.name, number) for number in range(PARTITIONS)]
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=installation.bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=_BATCH_BYTES,
        max_request_size=32 * 1024 * 1024,
    )
    database = await connect_for_copying(installation.database_url)
    await add_numbers(database, output.producers)
    async with consumer, producer:
        topic = installation.topics.provenance.name
        await producer.partitions_for(topic)
        connection.send(_READY)
        connection.recv()
        began = time.perf_counter()
        rows, records = iter(output.rows), iter(output.messages)

        async def publish(share: list[MessageToSend], offsets: dict[TopicPartition, int]) -> None:
            await MessageProducer(producer).send_batched(topic, share)
            await consumer.commit(offsets)

        publishing = asyncio.create_task(asyncio.sleep(0))
        read = 0
        while read < messages:
            fetched = await consumer.getmany(timeout_ms=100, max_records=_BATCH)
            if not fetched:
                continue
            count = sum(map(len, fetched.values()))
            read += count
            # A row for a message; in the end there are none left, for some messages are duplicates or bad.
            await database.copy_records_to_table(
                "llama_logs", columns=COLUMNS, records=list(islice(rows, count))
            )
            await publishing
            offsets = {partition: share[-1].offset + 1 for partition, share in fetched.items()}
            publishing = asyncio.create_task(publish(list(islice(records, count)), offsets))
        await publishing
        connection.send(str(time.perf_counter() - began))
        connection.recv()
    await database.close()
