"""Tables of what the topic of overrides states: root overrides, erasures, retractions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as UUIDType
from sqlmodel import Field, SQLModel

from llamalog_service.postgres.tables.columns import INSTANT, NOW, UTC_MILLISECONDS


class RootOverrideEntry(SQLModel, table=True):
    """An operator's override that a job never seen counts as a root, or (``adopted`` false) no longer does.

    ``is_sourced``: whether an event that was read from the topic of overrides states it; ``to_publish``:
    whether the migration consumer is to publish it, since a backfill wrote it.
    """

    __tablename__ = "root_overrides"
    __table_args__ = (
        Index("root_overrides_job_id_overridden_at_id_idx", "job_id", "overridden_at", "id"),
        Index("root_overrides_overridden_at_id_idx", "overridden_at", "id"),
        Index("root_overrides_to_publish_idx", "id", postgresql_where=text("to_publish")),
    )

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    job_id: str = Field(sa_column=Column(String(100), nullable=False))
    adopted: bool = Field(sa_column=Column(Boolean, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, nullable=False))
    overridden_at: datetime = Field(sa_column=Column(UTC_MILLISECONDS, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))

    is_sourced: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    to_publish: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )


class ErasureEntry(SQLModel, table=True):
    """The erasure of a person, who is named by a digest; its event is on the topic of overrides.

    ``reached``: the row up to which a pass over the table has erased, NULL before it begins; ``applied_at``:
    when a pass that began after the erasure was recorded had ended.
    """

    __tablename__ = "erasures"
    __table_args__ = (Index("erasures_erased_at_id_idx", "erased_at", "id"),)

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    user_digest: str = Field(sa_column=Column(Text, nullable=False))
    metadata_keys: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, nullable=False))
    erased_at: datetime = Field(sa_column=Column(UTC_MILLISECONDS, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    reached: UUID | None = Field(default=None, sa_column=Column(UUIDType()))
    rows_erased: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    applied_at: datetime | None = Field(default=None, sa_column=Column(INSTANT))


class RetractionEntry(SQLModel, table=True):
    """The retraction of an event, or its revocation; of several of a row the latest counts.

    ``waits_since``: not yet applied to its row; NULL once it was.
    """

    __tablename__ = "retractions"
    __table_args__ = (
        Index("retractions_row_id_retracted_at_id_idx", "row_id", "retracted_at", "id"),
        Index("retractions_retracted_at_id_idx", "retracted_at", "id"),
        Index("retractions_waiting_idx", "row_id", "id", postgresql_where=text("waits_since IS NOT NULL")),
    )

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    row_id: UUID = Field(sa_column=Column(UUIDType(), nullable=False))
    retracted: bool = Field(sa_column=Column(Boolean, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, nullable=False))
    retracted_at: datetime = Field(sa_column=Column(UTC_MILLISECONDS, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    waits_since: datetime | None = Field(
        default=None, sa_column=Column(INSTANT, server_default=text("clock_timestamp()"))
    )
