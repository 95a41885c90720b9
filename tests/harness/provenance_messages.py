"""Provenance messages as the service publishes them, for tests of consumers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from harness.waiting import TIMEOUT
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.consumer import ProvenanceConsumer, ProvenanceUpdate
from llamalog_schemas.events import Category, EntityType, Status
from llamalog_schemas.provenance import PROVENANCE_SOURCE, Origin, Provenance, ProvenanceRecorded

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


def row(row_id: UUID | None = None, revision: int = 1, **fields: Any) -> Provenance:
    """A row about a track of some album."""
    known: dict[str, Any] = {
        "id": row_id or uuid4(),
        "revision": revision,
        "category": Category.CREATED,
        "operation": "track:created:enrichment",
        "status": Status.SUCCESS,
        "created_at": NOON,
        "recorded_at": NOON,
        "origin": Origin.RESOLVED,
        "root_job_id": "album-create-1",
        "is_root_job": False,
        "entity_type": EntityType.TRACK,
    }
    return Provenance(**(known | fields))


def message_of(record: Provenance) -> ProvenanceRecorded:
    """The message about a row."""
    return ProvenanceRecorded(
        id=f"{record.id}/{record.revision}",
        source=PROVENANCE_SOURCE,
        time=record.recorded_at,
        specversion="1.0",
        data=record,
    )


async def publish_rows(
    producer: AIOKafkaProducer, topic: str, rows: Sequence[Provenance], partition: int | None = None
) -> None:
    """Publish rows in this order."""
    for record in rows:
        value, key = encode(message_of(record)), str(record.id).encode()
        await producer.send(topic, value, key, partition=partition, headers=STRUCTURED_HEADERS)
    await producer.flush()


async def take(consumer: ProvenanceConsumer, number: int) -> list[ProvenanceUpdate]:
    """The next updates; fails if there are not so many."""
    async with asyncio.timeout(TIMEOUT):
        changes = [await anext(consumer) for _ in range(number)]
    updates = [change for change in changes if isinstance(change, ProvenanceUpdate)]
    assert len(updates) == number
    return updates
