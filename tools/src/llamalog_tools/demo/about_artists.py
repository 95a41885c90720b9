"""What producers say about the artists of an album and of its tracks."""

from collections.abc import Generator, Iterator
from uuid import UUID

from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCreated,
    EntityEnriched,
    EntityEvent,
    EntityLinked,
    EntityType,
    Status,
)
from llamalog_tools.demo.voice import Details, Job
from llamalog_tools.demo.work import ENRICHMENT, IMAGES, AlbumInWork

_ENRICHED_AGAIN = 0.1
_IMAGE_FOUND = 0.8

NamedArtist = tuple[str, UUID]


def album_artists(work: AlbumInWork) -> Generator[EntityEvent, None, list[NamedArtist]]:
    """The album's artists, created or linked; returns those about whom more is to be found out."""
    if not work.has_artist_data:
        yield work.voice.fail(
            work.root,
            "artist:created:album",
            EntityType.ARTIST,
            None,
            status=Status.NO_DATA_AVAILABLE,
            album_id=work.album_id,
            error_code="NO_ARTIST_DATA",
            error_message="The album's source names no artist; none was created.",
            retry_count=0,
            metadata=work.named,
        )
        return []
    unexplored: list[NamedArtist] = []
    for name in work.artists:
        artist_id, known = work.catalogue.artist(name)
        if not known or work.dice.happens(_ENRICHED_AGAIN):
            unexplored.append((name, artist_id))
        yield _associated(work, work.root, name, artist_id, known=known)
    return unexplored


def track_artists(
    work: AlbumInWork, job: Job, names: tuple[str, ...], track_id: UUID
) -> Iterator[EntityEvent]:
    """The artists of one track, created or linked by one job."""
    for name in names:
        artist_id, known = work.catalogue.artist(name)
        yield _associated(work, job, name, artist_id, known=known, track_id=track_id)


def _associated(
    work: AlbumInWork, job: Job, name: str, artist_id: UUID, *, known: bool, track_id: UUID | None = None
) -> EntityCreated | EntityLinked:
    details = Details(
        album_id=work.album_id,
        sources=("MUSICBRAINZ",),
        data_quality_after=DataQuality.MEDIUM if known else DataQuality.LOW,
        duration_ms=work.dice.between(4, 40),
        metadata={"name": name, "albumTitle": work.album.title},
    )
    step = "album"
    if track_id is not None:
        step = "enrichment"
        details["track_id"] = track_id
    if known:
        details["reason"] = "An artist of this name was in the catalogue already."
        operation = f"artist:linked:{step}"
        return work.voice.say(EntityLinked, job, operation, EntityType.ARTIST, artist_id, **details)
    details["fields_enriched"] = ("name",)
    operation = f"artist:created:{step}"
    return work.voice.say(EntityCreated, job, operation, EntityType.ARTIST, artist_id, **details)


def artist_enriched(work: AlbumInWork, name: str, artist_id: UUID) -> Iterator[EntityEvent]:
    """What was found out about an artist, mostly with an image."""
    job = work.below(work.root, "enrich-artist", ENRICHMENT)
    yield work.voice.say(
        EntityEnriched,
        job,
        "discogs:search-artist",
        EntityType.ARTIST,
        artist_id,
        sources=("DISCOGS",),
        fields_enriched=("biography", "imageUrl"),
        data_quality_before=DataQuality.LOW,
        data_quality_after=DataQuality.MEDIUM,
        api_call_count=work.dice.between(1, 3),
        duration_ms=work.dice.between(250, 1800),
        metadata={"name": name},
    )
    if work.dice.happens(_IMAGE_FOUND):
        yield work.voice.say(
            EntityCached,
            work.below(job, "cache-image", IMAGES),
            "cache:artist-image",
            EntityType.ARTIST,
            artist_id,
            sources=("DISCOGS",),
            fields_enriched=("image",),
            duration_ms=work.dice.between(150, 1500),
            metadata={"name": name, "bytes": work.dice.between(20_000, 400_000)},
        )
