"""How the producers of the sample day speak: jobs, and the events that are said in them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar, Unpack
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
from llamalog_tools.demo.dice import Dice

Statement = TypeVar("Statement", EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached)

_DECLARING_SHARE = 0.08
"""Few producers know the root of the chain that they work for."""


@dataclass(frozen=True, slots=True)
class Job:
    """Who speaks: a unit of work of the producer `source`.

    What is done outside of any job has neither name nor root. `declared` is the root that the job names.
    """

    source: str
    name: str | None = None
    root: str | None = None
    parent: str | None = None
    declared: str | None = None


class Details(TypedDict, total=False):
    """What an event may say beside its entity, operation and job."""

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


class Voice:
    """Says events, each at the next moment of the day."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def root_job(self, name: str, source: str) -> Job:
        """A job that nothing started."""
        return Job(source, name, root=name)

    def job_below(self, parent: Job, name: str, source: str) -> Job:
        """A job that another started; a few name their root, and then rightly."""
        declared = parent.root if self._dice.happens(_DECLARING_SHARE) else None
        return Job(source, name, root=parent.root, parent=parent.name, declared=declared)

    def say(
        self,
        kind: type[Statement],
        job: Job,
        operation: str,
        entity_type: EntityType,
        entity_id: UUID,
        **details: Unpack[Details],
    ) -> Statement:
        """An event about an entity that exists; its status is SUCCESS unless told otherwise."""
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

    def fail(
        self,
        job: Job,
        operation: str,
        entity_type: EntityType,
        entity_id: UUID | None,
        **details: Unpack[Details],
    ) -> EntityFailed:
        """An event about what did not work; its status is FAILED unless told otherwise."""
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
