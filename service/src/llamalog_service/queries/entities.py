"""Albums, artists and tracks: their names, and their events in summary."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.events import EntityType
from llamalog_schemas.provenance import CategoryLabel, StatusLabel
from llamalog_service.domain.timestamps import naive_utc
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.rows import MAX_NAME, MAX_TEXT, cut, struct_of


class EntityRef(Struct, frozen=True, kw_only=True, rename="camel"):
    """An album, an artist or a track."""

    type: EntityType
    id: UUID


async def read_names(reader: Reader, entities: Collection[EntityRef]) -> Mapping[UUID, str]:
    """The newest title or name that an event about each entity carried; those without one are left out.

    One query; of an entity that many events are about it reads the newest ones only.
    """
    if not entities:
        return {}
    wanted = list(entities)
    found = await reader.rows(
        "names", [entity.id for entity in wanted], [str(entity.type) for entity in wanted]
    )
    return {UUID(bytes=record["entity_id"].bytes): cut(record["name"], MAX_NAME) for record in found}


RECENT = timedelta(hours=24)

MAX_ROWS = 10_000
"""Of an entity that more rows are about, so many of the newest and of the oldest are read."""


class Moment(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row about the entity that mattered.

    Attributes:
        root: null if it is not known.
    """

    row: UUID
    at: datetime
    category: CategoryLabel
    operation: str
    status: StatusLabel
    job: str | None
    root: str | None
    error_code: str | None
    error_message: str | None
    retry_count: int | None


class EntitySummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """The rows about an entity, summed up; those that only name it (a track's, of its album) don't count.

    Attributes:
        name: the newest of all events.
        names: of all events, the newest first, at most ten.
        rows: counted to twice `MAX_ROWS`.
        first_created: the earliest row of the category CREATED; likewise the others.
        retry_count: of the newest row that has one; else 0.
        failed_recently: whether a row of the requested time is a failure.
        no_data_recently: whether one has the status NO_DATA_AVAILABLE.
    """

    entity: EntityRef
    name: str | None
    names: tuple[str, ...]
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    first_created: Moment | None
    first_linked: Moment | None
    last_enriched: Moment | None
    last_failure: Moment | None
    retry_count: int
    failed_recently: bool
    no_data_recently: bool


async def read_entity_summary(
    reader: Reader, entity: EntityRef, *, recent: timedelta = RECENT, now: datetime | None = None
) -> EntitySummary:
    """Read the summary of an entity; without rows for one that no event is about.

    Args:
        recent: how long ago is recently.
        now: the end of that time; the present if left out.
    """
    since = naive_utc(now or datetime.now(UTC)) - recent
    records = await reader.rows("entity_summary", entity.id, str(entity.type), since.isoformat(), MAX_ROWS)
    counts, found = records[0], {record["what"]: record for record in records}
    names = tuple(cut(name, MAX_NAME) for name in counts["names"] or ())
    return EntitySummary(
        entity=entity,
        name=next(iter(names), None),
        names=names,
        rows=counts["rows"],
        first_at=counts["first_at"],
        last_at=counts["last_at"],
        first_created=_moment(found.get("created")),
        first_linked=_moment(found.get("linked")),
        last_enriched=_moment(found.get("enriched")),
        last_failure=_moment(found.get("failure")),
        retry_count=counts["retries"] or 0,
        failed_recently=counts["failed_recently"],
        no_data_recently=counts["no_data_recently"],
    )


def _moment(record: Row | None) -> Moment | None:
    if record is None:
        return None
    at, job, root = record["created_at"], record["job_id"], record["root_job_id"]
    error = cut(record["error_message"], MAX_TEXT)
    return struct_of(Moment, record, row=record["id"], at=at, job=job, root=root, error_message=error)
