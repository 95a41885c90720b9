"""Provenance records as the service tells them, for tests of those who listen."""

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
    told: dict[str, Any] = {
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
    return Provenance(**(told | fields))


def message_of(told: Provenance) -> ProvenanceRecorded:
    """The message that tells of a row."""
    return ProvenanceRecorded(
        id=f"{told.id}/{told.revision}",
        source=PROVENANCE_SOURCE,
        time=told.recorded_at,
        specversion="1.0",
        data=told,
    )


async def tell(
    producer: AIOKafkaProducer, topic: str, rows: Sequence[Provenance], partition: int | None = None
) -> None:
    """Publish rows in this order."""
    for told in rows:
        value, key = encode(message_of(told)), str(told.id).encode()
        await producer.send(topic, value, key, partition=partition, headers=STRUCTURED_HEADERS)
    await producer.flush()


async def take(consumer: ProvenanceConsumer, number: int) -> list[ProvenanceUpdate]:
    """The next updates; fails if there are not so many."""
    async with asyncio.timeout(TIMEOUT):
        changes = [await anext(consumer) for _ in range(number)]
    updates = [change for change in changes if isinstance(change, ProvenanceUpdate)]
    assert len(updates) == number
    return updates
