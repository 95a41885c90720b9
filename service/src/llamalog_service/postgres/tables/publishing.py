"""Tables of publishing: the outbox, the progress of long publications, removed rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import UUID as UUIDType
from sqlmodel import Field, SQLModel

from llamalog_service.postgres.tables.columns import INSTANT, JSON_OBJECT, NOW


class OutboxEntry(SQLModel, table=True):
    """A correction that is to be published: noted in its transaction, struck out once Kafka has it.

    No foreign key: a row may be gone before its entry is. ``bulk``: a backfill's, published after all others.
    """

    __tablename__ = "provenance_outbox"
    __table_args__ = (Index("provenance_outbox_prompt_idx", "noted_at", postgresql_where=text("NOT bulk")),)

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    noted_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    bulk: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class TellingProgress(SQLModel, table=True):
    """The last row that an interrupted publish-legacy (by its topic) or republish had published."""

    __tablename__ = "telling_progress"

    what: str = Field(sa_column=Column(Text, primary_key=True))
    last_row: UUID = Field(sa_column=Column(UUIDType(), nullable=False))
    updated_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class RemovedRow(SQLModel, table=True):
    """A row without a source event that a repair removed; ``told``: whether its tombstone is published."""

    __tablename__ = "removed_rows"
    __table_args__ = (Index("removed_rows_untold_idx", "row_id", postgresql_where=text("NOT told")),)

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    removed_at: datetime = Field(sa_column=Column(INSTANT, primary_key=True, server_default=NOW))
    content: Any = Field(sa_column=Column(JSON_OBJECT, nullable=False))
    told: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
