"""What producers say about the tracks of an album."""

from collections.abc import Iterator
from uuid import UUID

from llamalog_schemas.events import (
    DataQuality,
    EntityCreated,
    EntityEnriched,
    EntityEvent,
    EntityType,
)
from llamalog_tools.demo.about_artists import track_artists
from llamalog_tools.demo.albums import SampleTrack
from llamalog_tools.demo.voice import Job
from llamalog_tools.demo.work import ENRICHMENT, AlbumInWork

_ENRICHED = 0.3


def track_created(work: AlbumInWork, track: SampleTrack) -> Iterator[EntityEvent]:
    """One track in a job of its own, and what that job starts."""
    track_id = work.dice.uuid()
    job = work.voice.job_below(work.enriching, f"track-create-{track_id}", ENRICHMENT)
    facts = {
        "title": track.title,
        "trackNumber": track.number,
        "discNumber": track.disc,
        "durationMs": track.duration_seconds * 1000,
    }
    yield work.voice.say(
        EntityCreated,
        job,
        "track:created:enrichment",
        EntityType.TRACK,
        track_id,
        album_id=work.album_id,
        sources=("MUSICBRAINZ",),
        fields_enriched=tuple(facts),
        data_quality_after=DataQuality.MEDIUM,
        duration_ms=work.dice.between(5, 60),
        metadata={**facts, "albumTitle": work.album.title},
    )
    players = work.artists + track.extra_artists
    if players:
        crediting = work.below(job, "track-artists", ENRICHMENT)
        yield from track_artists(work, crediting, players, track_id)
    if work.dice.happens(_ENRICHED):
        yield _track_enriched(work, job, track, track_id)


def _track_enriched(work: AlbumInWork, creation: Job, track: SampleTrack, track_id: UUID) -> EntityEnriched:
    return work.voice.say(
        EntityEnriched,
        work.below(creation, "enrich-track", ENRICHMENT),
        "enrichment:track",
        EntityType.TRACK,
        track_id,
        album_id=work.album_id,
        sources=("SPOTIFY",),
        fields_enriched=("isrc", "previewUrl"),
        data_quality_before=DataQuality.MEDIUM,
        data_quality_after=DataQuality.HIGH,
        api_call_count=1,
        duration_ms=work.dice.between(90, 600),
        metadata={"title": track.title, "albumTitle": work.album.title},
    )
