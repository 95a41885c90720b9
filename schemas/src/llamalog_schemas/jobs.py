"""The catalogue's jobs: their payloads in a queue, their operations and their category.

A payload serialises to the JSON object that a queue of another language holds, and back. Fields that a
payload does not know are ignored: queues belong to their own services, which may add some.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from llamalog_schemas.errors import LlamalogSchemasError
from llamalog_schemas.events import Category, Status
from llamalog_schemas.limits import ParentJobId, RootJobId

Priority = Literal["high", "medium", "low"]
Limit = Annotated[int, Meta(ge=1)]
Offset = Annotated[int, Meta(ge=0)]


class InvalidJobError(LlamalogSchemasError):
    """A payload does not fit its operation; the sentence names the operation and the field."""


class JobPayload(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The payload of a job in a queue.

    Attributes:
        operation: the job's name in the queue, and the operation of its events.
        request_id: names the request that it serves, for tracing.
    """

    operation: ClassVar[str]
    request_id: str | None = None


class ChainedJob(JobPayload, frozen=True, kw_only=True):
    """A job that another job may start; it names that job and its root.

    The root is passed down through any number of levels, so that a job deep in a chain knows it even
    where the events of the jobs between have not arrived.
    """

    parent_job_id: ParentJobId | None = None
    root_job_id: RootJobId | None = None


class EnrichAlbum(ChainedJob, frozen=True, kw_only=True):
    """Fill an album's fields from outside sources."""

    operation: ClassVar = "enrichment:album"
    album_id: str
    priority: Priority | None = None
    user_action: str | None = None
    force: bool | None = None


class EnrichArtist(ChainedJob, frozen=True, kw_only=True):
    """Fill an artist's fields from outside sources."""

    operation: ClassVar = "enrichment:artist"
    artist_id: str
    priority: Priority | None = None
    user_action: str | None = None
    force: bool | None = None


class EnrichTrack(ChainedJob, frozen=True, kw_only=True):
    """Fill a track's fields from outside sources."""

    operation: ClassVar = "enrichment:track"
    track_id: str
    priority: Priority | None = None
    user_action: str | None = None
    force: bool | None = None


class CheckAlbumEnrichment(ChainedJob, frozen=True, kw_only=True):
    """Check whether an album needs to be enriched."""

    operation: ClassVar = "check:album-enrichment"
    album_id: str
    source: str | None = None
    priority: Priority | None = None


class CheckArtistEnrichment(ChainedJob, frozen=True, kw_only=True):
    """Check whether an artist needs to be enriched."""

    operation: ClassVar = "check:artist-enrichment"
    artist_id: str
    source: str | None = None
    priority: Priority | None = None


class CheckTrackEnrichment(ChainedJob, frozen=True, kw_only=True):
    """Check whether a track needs to be enriched."""

    operation: ClassVar = "check:track-enrichment"
    track_id: str
    source: str | None = None
    priority: Priority | None = None


class CacheAlbumCoverArt(ChainedJob, frozen=True, kw_only=True):
    """Keep a copy of an album's cover."""

    operation: ClassVar = "cache:album-cover-art"
    album_id: str


class CacheArtistImage(ChainedJob, frozen=True, kw_only=True):
    """Keep a copy of an artist's image."""

    operation: ClassVar = "cache:artist-image"
    artist_id: str


class DiscogsSearchArtist(ChainedJob, frozen=True, kw_only=True):
    """Find an artist on Discogs."""

    operation: ClassVar = "discogs:search-artist"
    artist_id: str
    artist_name: str


class DiscogsGetArtist(ChainedJob, frozen=True, kw_only=True):
    """Get an artist from Discogs."""

    operation: ClassVar = "discogs:get-artist"
    artist_id: str
    discogs_id: str


class MusicBrainzSearch(JobPayload, frozen=True, kw_only=True):
    """A search: a pure call, which belongs to no chain."""

    query: str
    limit: Limit | None = None
    offset: Offset | None = None


class MusicBrainzSearchArtists(MusicBrainzSearch, frozen=True, kw_only=True):
    """Search artists."""

    operation: ClassVar = "musicbrainz:search-artists"


class MusicBrainzSearchReleases(MusicBrainzSearch, frozen=True, kw_only=True):
    """Search releases."""

    operation: ClassVar = "musicbrainz:search-releases"


class MusicBrainzSearchRecordings(MusicBrainzSearch, frozen=True, kw_only=True):
    """Search recordings."""

    operation: ClassVar = "musicbrainz:search-recordings"


class MusicBrainzLookup(JobPayload, frozen=True, kw_only=True):
    """A look-up by MusicBrainz id: a pure call, which belongs to no chain."""

    mbid: str
    includes: tuple[str, ...] = ()


class MusicBrainzLookupArtist(MusicBrainzLookup, frozen=True, kw_only=True):
    """Look an artist up."""

    operation: ClassVar = "musicbrainz:lookup-artist"


class MusicBrainzLookupRelease(MusicBrainzLookup, frozen=True, kw_only=True):
    """Look a release up."""

    operation: ClassVar = "musicbrainz:lookup-release"


class MusicBrainzLookupReleaseGroup(MusicBrainzLookup, frozen=True, kw_only=True):
    """Look a release group up."""

    operation: ClassVar = "musicbrainz:lookup-release-group"


class MusicBrainzLookupRecording(MusicBrainzLookup, frozen=True, kw_only=True):
    """Look a recording up."""

    operation: ClassVar = "musicbrainz:lookup-recording"


class SpotifySyncNewReleases(JobPayload, frozen=True, kw_only=True):
    """Import Spotify's new releases; a root itself."""

    operation: ClassVar = "spotify:sync-new-releases"
    limit: Limit | None = None
    country: str | None = None
    source: str | None = None


class SpotifySyncFeaturedPlaylists(JobPayload, frozen=True, kw_only=True):
    """Import the albums of Spotify's featured playlists; a root itself."""

    operation: ClassVar = "spotify:sync-featured-playlists"
    limit: Limit | None = None
    country: str | None = None
    extract_albums: bool | None = None


CHAINED_JOBS: Final[tuple[type[ChainedJob], ...]] = (
    EnrichAlbum,
    EnrichArtist,
    EnrichTrack,
    CacheAlbumCoverArt,
    CacheArtistImage,
    DiscogsSearchArtist,
    DiscogsGetArtist,
    CheckAlbumEnrichment,
    CheckArtistEnrichment,
    CheckTrackEnrichment,
)
"""The jobs that take part in chains."""

_OTHER_JOBS: Final[tuple[type[JobPayload], ...]] = (
    MusicBrainzSearchArtists,
    MusicBrainzSearchReleases,
    MusicBrainzSearchRecordings,
    MusicBrainzLookupArtist,
    MusicBrainzLookupRelease,
    MusicBrainzLookupReleaseGroup,
    MusicBrainzLookupRecording,
    SpotifySyncNewReleases,
    SpotifySyncFeaturedPlaylists,
)

JOBS: Final[Mapping[str, type[JobPayload]]] = MappingProxyType(
    {job.operation: job for job in (*CHAINED_JOBS, *_OTHER_JOBS)}
)
"""Every payload by its operation."""

_ENRICHING = ("enrichment:", "check:", "musicbrainz:", "spotify:", "discogs:")

Payload = TypeVar("Payload", bound=JobPayload)


def encode_job(payload: JobPayload) -> bytes:
    """The payload as the JSON object that a queue holds; unset fields are left out."""
    return msgspec.json.encode(payload)


def decode_job(payload_type: type[Payload], value: bytes | str) -> Payload:
    """The payload that a queue holds.

    Args:
        payload_type: one of the payloads; by its operation it is found in `JOBS`.
        value: the JSON object.

    Raises:
        InvalidJobError: it is no JSON object, or a field is missing, or not what it should be.
    """
    try:
        return msgspec.json.decode(value, type=payload_type)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidJobError(f"the payload of a job {payload_type.operation}: {error}") from None


def category_of_operation(operation: str, status: Status) -> Category:
    """The category of an operation: by its name, else by its status.

    The rule that gave rows older than categories theirs; LINKED did not exist then, so it never results.
    """
    if operation.startswith("cache:"):
        return Category.CACHED
    if operation == "admin_correction":
        return Category.CORRECTED
    if operation.startswith(_ENRICHING) or operation == "PREVIEW_ENRICHMENT":
        return Category.ENRICHED
    return Category.FAILED if status is Status.FAILED else Category.CREATED
