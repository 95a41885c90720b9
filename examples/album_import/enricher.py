"""Works on a queue of enrichment jobs, each below the job that its payload names, and says what came of it.

Kafka hands a job over at least once. So that doing it again says the same again, ids and times of its events
follow from the job; and the job is acknowledged when its events are.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from album_import.catalogue import ENRICHMENTS
from llamalog_schemas.jobs import EnrichAlbum, decode_job
from llamalog_schemas.producer import Attempt, Details, Job, LlamaLogger, OverFastStream


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


async def enrich(log: LlamaLogger, payload: EnrichAlbum, asked_at: datetime) -> None:
    """Do a job of the queue; what goes wrong in it is told as `entity-failed`, and goes on."""
    album = UUID(payload.album_id)
    failure = Details(event_id=uuid5(album, "not enriched"), time=asked_at)
    attempt = Attempt(entity_type="ALBUM", entity_id=album, operation=payload.operation, details=failure)
    async with log.job(Job.of_payload(f"enrich-{album}", payload), attempt=attempt):
        titles = tracks_of(album)
        await log.enriched(
            "ALBUM",
            album,
            operation=payload.operation,
            sources=["MUSICBRAINZ"],
            event_id=uuid5(album, "enriched"),
            time=asked_at,
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
                    time=asked_at,
                )


async def run(kafka: str, prefix: str) -> None:
    """Work until told to end."""
    broker = KafkaBroker(kafka, acks="all")
    log = LlamaLogger(OverFastStream(broker), source="/catalogue/enrichment", topic=f"{prefix}entity-events")

    @broker.subscriber(
        f"{prefix}{ENRICHMENTS}",
        group_id=f"{prefix}enricher",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def work(message: KafkaMessage) -> None:
        payload = decode_job(EnrichAlbum, message.body)
        record: Any = message.raw_message
        asked_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        lost_before = log.account.lost
        with suppress(NoReleaseError):  # it has been told, and doing it again would not help
            await enrich(log, payload, asked_at)
        account = await log.flush(30)
        if account.pending or account.lost > lost_before:
            raise NotDeliveredError(payload.album_id)

    await FastStream(broker).run()
