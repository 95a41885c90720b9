"""Types and defaults of columns, and partial indexes, of several tables."""

from enum import Enum as PythonEnum
from typing import Final

from sqlalchemy import Enum, Index, TextClause, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

from llamalog_schemas.events import Category, DataQuality, EntityType, Status
from llamalog_schemas.provenance import Origin


class _TransactionId(UserDefinedType[int]):
    """PostgreSQL's xid."""

    def get_col_spec(self, **_: object) -> str:
        return "xid"


ischema_names["xid"] = _TransactionId


def _enum(values: type[PythonEnum], name: str) -> Enum:
    """A PostgreSQL enum of the members' values; SQLAlchemy would take their names."""
    return Enum(values, name=name, values_callable=lambda members: [member.value for member in members])


ENTITY_TYPE: Final = _enum(EntityType, "EnrichmentEntityType")
CATEGORY: Final = _enum(Category, "LlamaLogCategory")
STATUS: Final = _enum(Status, "EnrichmentStatus")
DATA_QUALITY: Final = _enum(DataQuality, "DataQuality")
ORIGIN: Final = _enum(Origin, "LlamaLogOrigin")

UTC_MILLISECONDS: Final = TIMESTAMP(precision=3, timezone=False)
XID: Final = _TransactionId()
INSTANT: Final = TIMESTAMP(timezone=True)
JSON_OBJECT: Final = JSONB(none_as_null=True)
NOW: Final = text("now()")
NO_TEXTS: Final = text("'{}'::text[]")


def index(name: str, *columns: str | TextClause, where: str) -> Index:
    """A partial index."""
    return Index(name, *columns, postgresql_where=text(where))
