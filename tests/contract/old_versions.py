"""Two versions of `entity-created` that might have been, and the steps from them to the real one."""

from uuid import UUID

from msgspec import Struct

from llamalog_schemas import CloudEvent, EntityCreated, EntityData, EntityType, ProvenanceRecorded, Status
from llamalog_schemas.limits import JobId, JsonObject
from llamalog_schemas.upcast import Step, Upcasters


class DataV00(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Once there were albums alone."""

    album: UUID
    what: str
    job: str | None = None


class EntityCreatedV00(CloudEvent, frozen=True, kw_only=True, tag="llamalog.entity-created.v00"):
    data: DataV00


class DataV0(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Then there were other entities, a parent, and a flag for how it went."""

    entity: EntityType
    entity_id: UUID
    what: str
    worked: bool
    job: JobId | None = None
    started_by: str | None = None
    notes: JsonObject | None = None


class EntityCreatedV0(CloudEvent, frozen=True, kw_only=True, tag="llamalog.entity-created.v0"):
    data: DataV0


def v00_to_v0(data: DataV00) -> DataV0:
    return DataV0(entity=EntityType.ALBUM, entity_id=data.album, what=data.what, worked=True, job=data.job)


def v0_to_v1(data: DataV0) -> EntityData:
    return EntityData(
        entity_type=data.entity,
        entity_id=data.entity_id,
        operation=data.what,
        status=Status.SUCCESS if data.worked else Status.PARTIAL_SUCCESS,
        job_id=data.job,
        parent_job_id=data.started_by,
        metadata=data.notes,
    )


class ProvenanceRecordedV0(CloudEvent, frozen=True, kw_only=True, tag="llamalog.provenance-recorded.v0"):
    """An old version: rows without a revision."""

    data: JsonObject


def unrevised(data: JsonObject) -> JsonObject:
    return {"revision": 1, **data}


FIRST = Step(EntityCreatedV00, EntityCreatedV0, v00_to_v0)
SECOND = Step(EntityCreatedV0, EntityCreated, v0_to_v1)
REGISTRY = Upcasters(FIRST, SECOND, Step(ProvenanceRecordedV0, ProvenanceRecorded, unrevised))
