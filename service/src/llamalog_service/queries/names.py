"""What albums, artists and tracks are called: events carry names, the log has no other source."""

from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.events import EntityType
from llamalog_service.postgres.statements import Reader


class EntityRef(Struct, frozen=True, kw_only=True, rename="camel"):
    """An album, an artist or a track."""

    type: EntityType
    id: UUID


async def read_names(reader: Reader, entities: Collection[EntityRef]) -> Mapping[UUID, str]:
    """The newest title or name that an event about each entity carried; those without one are left out.

    One query; of an entity that many events are about it looks at the newest ones only.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    if not entities:
        return {}
    asked = list(entities)
    found = await reader.rows(
        "names", [entity.id for entity in asked], [str(entity.type) for entity in asked]
    )
    return {UUID(bytes=record["entity_id"].bytes): record["name"] for record in found}
