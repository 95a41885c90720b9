"""The producers of the sample day: jobs, the events that they publish, and the albums that they work on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack
from uuid import UUID

from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityFailed,
    EntityLinked,
    EntityType,
    FailureData,
    Status,
)
from llamalog_tools.demo.albums import SampleAlbum
from llamalog_tools.demo.dice import Dice, EveryNth

Event = TypeVar("Event", EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached)

_DECLARING_SHARE = 0.08
"""The share of jobs that declare their root: few producers know it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work of the producer `source`.

    An event outside of any job has a `Job` without name and root. `declared` is the root that it declares.
    """

    source: str
    name: str | None = None
    root: str | None = None
    parent: str | None = None
    declared: str | None = None


class Details(TypedDict, total=False):
    """Optional fields of an event, beside its entity, operation and job."""

    status: Status
    album_id: UUID
    artist_id: UUID
    track_id: UUID
    sources: tuple[str, ...]
    reason: str
    fields_enriched: tuple[str, ...]
    data_quality_before: DataQuality
    data_quality_after: DataQuality
    error_message: str
    error_code: str
    retry_count: int
    duration_ms: int
    api_call_count: int
    metadata: dict[str, Any]
    triggered_by: str
    user_id: str


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: str
    source: str
    subject: str | None
    time: datetime


class EventFactory:
    """Makes events, each at the next moment of the day."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def root_job(self, name: str, source: str) -> Job:
        """A job that nothing started."""
        return Job(source, name, root=name)

    def job_below(self, parent: Job, name: str, source: str) -> Job:
        """A job that another started; a few declare their root, and then the right one."""
        declared = parent.root if self._dice.happens(_DECLARING_SHARE) else None
        return Job(source, name, root=parent.root, parent=parent.name, declared=declared)

    def event(
        self,
        kind: type[Event],
        job: Job,
        operation: str,
        entity_type: EntityType,
        entity_id: UUID,
        **details: Unpack[Details],
    ) -> Event:
        """An event about an entity that exists; its status is SUCCESS unless given."""
        details.setdefault("status", Status.SUCCESS)
        data = EntityData(
            entity_type=entity_type,
            entity_id=entity_id,
            operation=operation,
            job_id=job.name,
            parent_job_id=job.parent,
            root_job_id=job.declared,
            **details,
        )
        return kind(data=data, **self._envelope(job, f"{entity_type}/{entity_id}"))

    def failure(
        self,
        job: Job,
        operation: str,
        entity_type: EntityType,
        entity_id: UUID | None,
        **details: Unpack[Details],
    ) -> EntityFailed:
        """An event about a failure; its status is FAILED unless given."""
        details.setdefault("status", Status.FAILED)
        data = FailureData(
            entity_type=entity_type,
            entity_id=entity_id,
            operation=operation,
            job_id=job.name,
            parent_job_id=job.parent,
            root_job_id=job.declared,
            **details,
        )
        subject = None if entity_id is None else f"{entity_type}/{entity_id}"
        return EntityFailed(data=data, **self._envelope(job, subject))

    def _envelope(self, job: Job, subject: str | None) -> _Envelope:
        time = self._dice.tick()
        return {
            "specversion": "1.0",
            "id": str(self._dice.uuid()),
            "source": job.source,
            "subject": subject,
            "time": time,
        }


class Catalogue:
    """The state that all albums of a day share: the artists that exist by now, and the periodic mishaps.

    Its size follows from the number of different artists, not of albums.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._artists: dict[str, UUID] = {}
        self.rate_limits = EveryNth(5, dice)
        self.lost_covers = EveryNth(8, dice)
        self.missing_artist_data = EveryNth(12, dice)
        self.corrections = EveryNth(4, dice)
        self.syncs = EveryNth(3, dice)

    def artist(self, name: str) -> tuple[UUID, bool]:
        """The id of an artist and whether the catalogue held it already; it does from now on."""
        known = self._artists.get(name)
        if known is not None:
            return known, True
        created = self._artists[name] = self._dice.uuid()
        return created, False


CATALOGUE: Final = "/catalogue/albums"
ENRICHMENT: Final = "/catalogue/enrichment"
IMAGES: Final = "/catalogue/images"
REVIEW: Final = "/catalogue/review"
SYNC: Final = "/sync/spotify"
"""The producers, as CloudEvents sources."""

_VARIOUS_ARTISTS = "Various Artists"
"""The artist of compilations in the data; it is no artist."""


class AlbumInWork:
    """An album with its ids and the two jobs from which all its other jobs come.

    Attributes:
        artists: the album's artists by name; none on a compilation.
        has_artist_data: whether the source that the album was created from names them.
        named: the `metadata` by which a reader recognises the album.
        root: the job that created the album.
        enriching: the job below it that enriches the album.
    """

    def __init__(self, album: SampleAlbum, edition: int, catalogue: Catalogue, dice: Dice) -> None:
        self.album = album
        self.catalogue = catalogue
        self.dice = dice
        self.events = EventFactory(dice)
        self.album_id = dice.uuid()
        self.artists = tuple(name for name in album.artists if name != _VARIOUS_ARTISTS)
        self.has_artist_data = bool(self.artists) and not catalogue.missing_artist_data.is_due()
        self.named: dict[str, Any] = {"title": album.title}
        if self.has_artist_data:
            self.named["artists"] = list(self.artists)
        if edition > 1:
            self.named["edition"] = edition
        self.root = self.events.root_job(f"album-create-{self.album_id}", CATALOGUE)
        self.enriching = self.below(self.root, "enrich", ENRICHMENT)

    def below(self, parent: Job, name: str, source: str) -> Job:
        """A job that `parent` starts, named after what it does."""
        return self.events.job_below(parent, f"{name}-{self.dice.uuid()}", source)
