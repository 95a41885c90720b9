"""Works on a queue of enrichment jobs, each a child of the job in its payload, and publishes their events.

Kafka delivers a job at least once. Ids and times of its events follow from the job, so that a repetition
publishes the same events; the job is acknowledged after its events are.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from album_import.catalogue import ENRICHMENTS
from llamalog_schemas.jobs import EnrichAlbum, decode_job
from llamalog_schemas.producer import Attempt, Details, FastStreamTransport, Job, LlamaLogger


class NoReleaseError(Exception):
    """The outside source knows nothing of an album."""

    code = "NO_RELEASE"


class NotDeliveredError(Exception):
    """Kafka has not acknowledged all events of a job: it must be done again."""


def tracks_of(album: UUID) -> list[str]:
    """Stands for a call to an outside source, which does not know every album.

    Raises:
        NoReleaseError: it does not know this one.
    """
    if album.int % 4 == 0:
        raise NoReleaseError(f"no release of album {album}")
    return [f"Track {number}" for number in range(1, 4)]


async def enrich(log: LlamaLogger, payload: EnrichAlbum, requested_at: datetime) -> None:
    """Do a job of the queue; an error in it is published as `entity-failed`, and propagates."""
    album = UUID(payload.album_id)
    failure = Details(event_id=uuid5(album, "not enriched"), time=requested_at)
    attempt = Attempt(entity_type="ALBUM", entity_id=album, operation=payload.operation, details=failure)
    async with log.job(Job.from_payload(f"enrich-{album}", payload), attempt=attempt):
        titles = tracks_of(album)
        await log.enriched(
            "ALBUM",
            album,
            operation=payload.operation,
            sources=["MUSICBRAINZ"],
            event_id=uuid5(album, "enriched"),
            time=requested_at,
        )
        for title in titles:
            track = uuid5(album, title)
            with log.job(f"track-create-{track}"):
                await log.created(
                    "TRACK",
                    track,
                    operation="track:created:enrichment",
                    album_id=album,
                    metadata={"title": title},
                    event_id=uuid5(track, "created"),
                    time=requested_at,
                )


async def run(kafka: str, prefix: str) -> None:
    """Work until cancelled."""
    broker = KafkaBroker(kafka, acks="all")
    log = LlamaLogger(
        FastStreamTransport(broker), source="/catalogue/enrichment", topic=f"{prefix}entity-events"
    )

    @broker.subscriber(
        f"{prefix}{ENRICHMENTS}",
        group_id=f"{prefix}enricher",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def work(message: KafkaMessage) -> None:
        payload = decode_job(EnrichAlbum, message.body)
        record: Any = message.raw_message
        requested_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        lost_before = log.stats.lost
        with suppress(NoReleaseError):  # it has been published, and a retry would not help
            await enrich(log, payload, requested_at)
        stats = await log.flush(30)
        if stats.pending or stats.lost > lost_before:
            raise NotDeliveredError(payload.album_id)

    await FastStream(broker).run()
