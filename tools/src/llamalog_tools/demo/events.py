"""The events of an album, of its artists and of its tracks, as their producers publish them."""

from collections.abc import Generator, Iterator
from uuid import UUID

from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityEnriched,
    EntityEvent,
    EntityFailed,
    EntityLinked,
    EntityType,
    Status,
)
from llamalog_tools.demo.albums import SampleTrack
from llamalog_tools.demo.producers import ENRICHMENT, IMAGES, REVIEW, SYNC, AlbumInWork, Details, Job

_TRIGGERS = ("user_search", "collection_import", "spotify_sync")
_EDITORS = ("editor-ada", "editor-ines", "editor-noor")


def album_created(work: AlbumInWork) -> EntityCreated:
    """The event of the root job, the ancestor of all others."""
    album = work.album
    facts = {"year": album.year, "genre": album.genre, "label": album.label}
    known = {name: fact for name, fact in facts.items() if fact is not None}
    trigger = work.dice.one_of(_TRIGGERS)
    details = Details(
        sources=("USER",) if trigger == "user_search" else ("SPOTIFY",),
        fields_enriched=("title", *known),
        data_quality_after=DataQuality.LOW,
        duration_ms=work.dice.between(15, 90),
        metadata={**work.named, **known, "trackCount": len(album.tracks)},
        triggered_by=trigger,
    )
    if trigger == "user_search":
        details["user_id"] = f"user-{work.dice.between(1, 400)}"
    return work.events.event(
        EntityCreated,
        work.root,
        "album:created",
        EntityType.ALBUM,
        work.album_id,
        **details,
    )


def album_checked(work: AlbumInWork) -> EntityEnriched:
    """The check of the new album, which finds that it has to be enriched."""
    return work.events.event(
        EntityEnriched,
        work.below(work.root, "check-album", ENRICHMENT),
        "check:album-enrichment",
        EntityType.ALBUM,
        work.album_id,
        reason="No MusicBrainz release yet, data quality LOW: enrichment queued.",
        data_quality_before=DataQuality.LOW,
        data_quality_after=DataQuality.LOW,
        duration_ms=work.dice.between(3, 20),
        metadata=work.named,
    )


def album_enriched(work: AlbumInWork) -> Iterator[EntityEnriched | EntityFailed]:
    """The search and its result; some searches fail once before."""
    retries = 0
    if work.catalogue.rate_limits.is_due():
        retries = 1
        yield work.events.failure(
            work.enriching,
            "musicbrainz:search-releases",
            EntityType.ALBUM,
            work.album_id,
            sources=("MUSICBRAINZ",),
            error_code="RATE_LIMITED",
            error_message="MusicBrainz answered 503: more than one request a second; tried again.",
            retry_count=0,
            api_call_count=1,
            metadata=work.named,
        )
    yield work.events.event(
        EntityEnriched,
        work.enriching,
        "musicbrainz:search-releases",
        EntityType.ALBUM,
        work.album_id,
        sources=("MUSICBRAINZ",),
        fields_enriched=("musicbrainzId",),
        retry_count=retries,
        api_call_count=1,
        duration_ms=work.dice.between(180, 900),
        metadata={**work.named, "candidates": work.dice.between(1, 25)},
    )
    yield work.events.event(
        EntityEnriched,
        work.enriching,
        "enrichment:album",
        EntityType.ALBUM,
        work.album_id,
        sources=("MUSICBRAINZ",),
        fields_enriched=("releaseDate", "label", "barcode", "genres", "tracks"),
        data_quality_before=DataQuality.LOW,
        data_quality_after=DataQuality.HIGH,
        api_call_count=work.dice.between(2, 5),
        duration_ms=work.dice.between(900, 4200),
        metadata={**work.named, "trackCount": len(work.album.tracks)},
    )


def cover_cached(work: AlbumInWork) -> EntityCached | EntityFailed:
    """The cover, or that there is none."""
    job = work.below(work.enriching, "cache-cover", IMAGES)
    operation = "cache:album-cover-art"
    if work.catalogue.lost_covers.is_due():
        return work.events.failure(
            job,
            operation,
            EntityType.ALBUM,
            work.album_id,
            sources=("COVER_ART_ARCHIVE",),
            error_code="IMAGE_NOT_FOUND",
            error_message="The Cover Art Archive answered 404 three times; the album has no cover.",
            retry_count=3,
            duration_ms=work.dice.between(2000, 9000),
            metadata=work.named,
        )
    return work.events.event(
        EntityCached,
        job,
        operation,
        EntityType.ALBUM,
        work.album_id,
        sources=("COVER_ART_ARCHIVE",),
        fields_enriched=("coverArt",),
        duration_ms=work.dice.between(200, 2500),
        metadata={**work.named, "bytes": work.dice.between(40_000, 900_000)},
    )


def album_corrected(work: AlbumInWork) -> EntityCorrected:
    """The correction of an editor, in the review that the album's creation started."""
    genre = work.album.genre or "Unknown"
    return work.events.event(
        EntityCorrected,
        work.below(work.root, "correction", REVIEW),
        "admin_correction",
        EntityType.ALBUM,
        work.album_id,
        sources=("ADMIN",),
        reason="The spelling of the genre did not match the catalogue's list.",
        fields_enriched=("genre",),
        data_quality_before=DataQuality.HIGH,
        data_quality_after=DataQuality.HIGH,
        metadata={**work.named, "field": "genre", "before": genre.lower(), "after": genre},
        triggered_by="admin",
        user_id=work.dice.one_of(_EDITORS),
    )


def album_synchronised(work: AlbumInWork) -> EntityEnriched:
    """An event of a scheduler without jobs: its root stays unknown."""
    return work.events.event(
        EntityEnriched,
        Job(SYNC),
        "spotify:sync-new-releases",
        EntityType.ALBUM,
        work.album_id,
        sources=("SPOTIFY",),
        fields_enriched=("popularity",),
        api_call_count=1,
        duration_ms=work.dice.between(80, 400),
        metadata={**work.named, "popularity": work.dice.between(20, 95)},
        triggered_by="scheduler",
    )


_ENRICHED_AGAIN = 0.1
_IMAGE_FOUND = 0.8

NamedArtist = tuple[str, UUID]


def album_artists(work: AlbumInWork) -> Generator[EntityEvent, None, list[NamedArtist]]:
    """The album's artists, created or linked; returns those that are to be enriched."""
    if not work.has_artist_data:
        yield work.events.failure(
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
        return work.events.event(EntityLinked, job, operation, EntityType.ARTIST, artist_id, **details)
    details["fields_enriched"] = ("name",)
    operation = f"artist:created:{step}"
    return work.events.event(EntityCreated, job, operation, EntityType.ARTIST, artist_id, **details)


def artist_enriched(work: AlbumInWork, name: str, artist_id: UUID) -> Iterator[EntityEvent]:
    """The search for an artist, mostly with an image."""
    job = work.below(work.root, "enrich-artist", ENRICHMENT)
    yield work.events.event(
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
        yield work.events.event(
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


_ENRICHED = 0.3


def track_created(work: AlbumInWork, track: SampleTrack) -> Iterator[EntityEvent]:
    """One track in a job of its own, and the jobs that it starts."""
    track_id = work.dice.uuid()
    job = work.events.job_below(work.enriching, f"track-create-{track_id}", ENRICHMENT)
    facts = {
        "title": track.title,
        "trackNumber": track.number,
        "discNumber": track.disc,
        "durationMs": track.duration_seconds * 1000,
    }
    yield work.events.event(
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
    return work.events.event(
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
