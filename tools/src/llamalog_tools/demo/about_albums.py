"""What producers say about an album as a whole."""

from collections.abc import Iterator

from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityEnriched,
    EntityFailed,
    EntityType,
)
from llamalog_tools.demo.voice import Details, Job
from llamalog_tools.demo.work import ENRICHMENT, IMAGES, REVIEW, SYNC, AlbumInWork

_TRIGGERS = ("user_search", "collection_import", "spotify_sync")
_EDITORS = ("editor-ada", "editor-ines", "editor-noor")


def album_created(work: AlbumInWork) -> EntityCreated:
    """The statement of the root job; the rest of the album's story hangs below it."""
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
    return work.voice.say(
        EntityCreated,
        work.root,
        "album:created",
        EntityType.ALBUM,
        work.album_id,
        **details,
    )


def album_checked(work: AlbumInWork) -> EntityEnriched:
    """A look at the new album, which finds that it has to be enriched."""
    return work.voice.say(
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
    """The search and what it filled in; some searches fail once before."""
    retries = 0
    if work.catalogue.rate_limits.comes_round():
        retries = 1
        yield work.voice.fail(
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
    yield work.voice.say(
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
    yield work.voice.say(
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
    if work.catalogue.lost_covers.comes_round():
        return work.voice.fail(
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
    return work.voice.say(
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
    """What an editor put right in the review that the album's creation asked for."""
    genre = work.album.genre or "Unknown"
    return work.voice.say(
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
    """Said by a scheduler that knows no jobs: its root stays unknown."""
    return work.voice.say(
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
