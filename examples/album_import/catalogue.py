"""Persists albums, and their events in the same transaction, so that a crash loses neither or both.

An event is a row of the outbox, which the relay publishes.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from faststream.kafka import KafkaBroker
from sqlalchemy import DateTime, ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from llamalog_schemas.jobs import EnrichAlbum, encode_job
from llamalog_schemas.producer import EventFactory, FastStreamTransport, Job
from llamalog_schemas.producer.outbox import Outbox, OutboxRelay

ENRICHMENTS = "catalogue.enrichments"
EVENTS = EventFactory("/catalogue/albums")


class Base(DeclarativeBase):
    """The catalogue's tables."""


class Artist(Base):
    """The maker of an album."""

    __tablename__ = "artists"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)


class Album(Base):
    """An album, and whether its enrichment has been requested."""

    __tablename__ = "albums"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str] = mapped_column(unique=True)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"))
    artist: Mapped[Artist] = relationship()
    added_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    enrichment_requested: Mapped[bool] = mapped_column(default=False)

    @property
    def job(self) -> Job:
        """The job that adds it: a root, since no other job started it."""
        return Job(f"album-create-{self.id}")


async def add_album(session: AsyncSession, outbox: Outbox, title: str, by: str) -> None:
    """Add an album and its artist, with their events; the caller commits."""
    known = await session.scalar(select(Artist).where(Artist.name == by))
    artist = known or Artist(id=uuid4(), name=by)
    album = Album(id=uuid4(), title=title, artist=artist, added_at=datetime.now(UTC))
    session.add(album)
    with EVENTS.job(album.job):
        created = EVENTS.created("ALBUM", album.id, operation="album:created", metadata={"title": title})
        artist_event = EVENTS.created_or_linked(
            "ARTIST",
            artist.id,
            existing=known is not None,
            operation="artist:created:album",
            album_id=album.id,
        )
    await session.execute(outbox.insert(created, artist_event))


async def request_enrichment(session: AsyncSession, broker: KafkaBroker, topic: str) -> None:
    """Put a job into the enricher's queue for each album that has none.

    After a crash it may be there twice, with the same time: the enricher then repeats the same events.
    """
    for album in await session.scalars(select(Album).where(~Album.enrichment_requested)):
        payload = album.job.propagate_to(EnrichAlbum(album_id=str(album.id)))
        when = int(album.added_at.timestamp() * 1000)
        await broker.publish(encode_job(payload), topic, key=str(album.id).encode(), timestamp_ms=when)
        album.enrichment_requested = True


async def run(kafka: str, database: str, prefix: str, albums: Iterable[tuple[str, str]]) -> None:
    """Add the albums that are missing; then relay until cancelled."""
    engine = create_async_engine(database)
    outbox = Outbox(Base.metadata, topic=f"{prefix}entity-events")
    await _make_tables(engine)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with KafkaBroker(kafka, acks="all") as broker:
        await broker.start()
        relay = OutboxRelay(engine, outbox, FastStreamTransport(broker), poll_seconds=0.1)
        relaying = asyncio.create_task(relay.run())
        for title, by in albums:
            async with sessions.begin() as session:
                if await session.scalar(select(Album.id).where(Album.title == title)) is None:
                    await add_album(session, outbox, title, by)
            async with sessions.begin() as session:
                await request_enrichment(session, broker, f"{prefix}{ENRICHMENTS}")
        await relaying


async def _make_tables(engine: AsyncEngine) -> None:
    """Stands for the migrations of a real service."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
