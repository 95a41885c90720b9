"""A service as in a tutorial: FastStream hands it a message, SQLAlchemy a session, one message at a time.

`python -m bench_peers.tutorial_service BOOTSTRAP TOPIC GROUP PUBLISHED DATABASE_URL`. For each message: a
select for the root of its parent, an insert, a commit, a publish that is waited for.
"""

import asyncio
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import col

from llamalog_schemas.events import Category, DataQuality, EntityType, Status
from llamalog_service.postgres.tables.log import LlamaLog


class Event(BaseModel):
    """An event as it comes."""

    id: UUID
    entity_type: EntityType | None = None
    entity_id: UUID | None = None
    artist_id: UUID | None = None
    album_id: UUID | None = None
    track_id: UUID | None = None
    operation: str
    category: Category
    sources: list[str]
    status: Status
    reason: str | None = None
    fields_enriched: list[str]
    data_quality_before: DataQuality | None = None
    data_quality_after: DataQuality | None = None
    error_message: str | None = None
    error_code: str | None = None
    retry_count: int | None = None
    duration_ms: int | None = None
    api_call_count: int | None = None
    metadata: dict[str, Any] | None = None
    preview_data: dict[str, Any] | None = None
    job_id: str | None = None
    parent_job_id: str | None = None
    is_root_job: bool = False
    triggered_by: str | None = None
    user_id: str | None = None
    created_at: datetime
    declared_root_job_id: str | None = None


class Provenance(Event):
    """An event with its root, as it is published."""

    root_job_id: str | None


async def _serve(bootstrap: str, topic: str, group: str, published: str, database_url: str) -> None:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    broker = KafkaBroker(bootstrap)

    @broker.subscriber(topic, group_id=group, auto_offset_reset="earliest")
    @broker.publisher(published)
    async def record(event: Event) -> Provenance:
        async with sessions() as session:
            root = await session.scalar(
                select(col(LlamaLog.root_job_id)).where(col(LlamaLog.job_id) == event.parent_job_id).limit(1)
            )
            root = root or event.job_id
            fields = event.model_dump()
            session.add(LlamaLog(**fields, metadata_=fields.pop("metadata"), root_job_id=root))
            await session.commit()
        return Provenance(**event.model_dump(), root_job_id=root)

    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
