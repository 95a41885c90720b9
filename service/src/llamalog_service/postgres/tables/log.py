"""The log, and what is kept beside it: positions, the outbox, what was found in legacy tables."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.dialects.postgresql import UUID as UUIDType
from sqlmodel import Field, SQLModel

from llamalog_schemas.events import Category, DataQuality, EntityType, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.tables.columns import (
    CATEGORY,
    DATA_QUALITY,
    ENTITY_TYPE,
    INSTANT,
    JSON_OBJECT,
    NO_TEXTS,
    NOW,
    ORIGIN,
    STATUS,
    UTC_MILLISECONDS,
    XID,
    index,
)

ROOT_JOB_ID_COMMENT: Final = (
    "The topmost job of the chain that the row belongs to. NULL means that we don't know it; "
    "the column origin says why."
)
ORIGIN_COMMENT: Final = (
    "How root_job_id is known: ROOT (it is the row's own job), RESOLVED (by following parents), ADOPTED (by "
    "an operator's override), DECLARED (by the producer); or why it is NULL: PENDING (the topmost job named "
    "was never seen), CYCLE (the chain comes back to itself: cycle_members), UNTRACKED (the row names no job "
    "and no parent: origin unknown). NULL means that the row is not processed yet."
)
SECOND: Final = (
    "int4(date_part('epoch', least(greatest(created_at, '1970-01-01 00:00:00'), '2100-01-01 00:00:00') "
    "- '2035-01-01 00:00:00'))"
)
"""What statements call `{second of l.created_at}`, as PostgreSQL writes it."""


class LlamaLog(SQLModel, table=True):
    """The log: one row an event, with its root. ``created_at`` is the event's time in UTC, without zone."""

    __tablename__ = "llama_logs"
    __table_args__ = (
        # A hash, as names of jobs are long; ordered, as a job may have many rows, and every batch reads
        # its earliest claim. Of all rows: of a partial one the planner would not see the statistics.
        Index(
            "llama_logs_job_id_hash_created_at_idx",
            text("hashtextextended(job_id, 0)"),
            text("created_at NULLS FIRST"),
        ),
        Index("llama_logs_parent_job_id_hash_idx", text("hashtextextended(parent_job_id, 0)")),
        Index("llama_logs_root_job_id_hash_idx", text("hashtextextended(root_job_id, 0)")),
        Index("llama_logs_created_at_idx", "created_at"),
        # Most rows are created or enriched: these are found by time.
        index(
            "llama_logs_rare_categories_idx",
            "category",
            "created_at",
            where="category NOT IN ('CREATED', 'ENRICHED')",
        ),
        Index("llama_logs_entity_id_hash_second_idx", text("uuid_hash(entity_id)"), text(SECOND)),
        # Most rows that name an entity are about it: these have the others.
        *(
            index(
                f"llama_logs_other_{column}_idx",
                column,
                where=f"{column} IS NOT NULL AND {column} IS DISTINCT FROM entity_id",
            )
            for column in ("album_id", "artist_id", "track_id")
        ),
        index("llama_logs_roots_idx", "created_at", where="origin IN ('ROOT', 'ADOPTED')"),
        index("llama_logs_unknown_origin_idx", "origin", "created_at", "id", where="root_job_id IS NULL"),
        index(
            "llama_logs_failures_idx",
            "root_job_id",
            "created_at",
            where="root_job_id IS NOT NULL AND (category = 'FAILED' OR status = 'FAILED')",
        ),
        index("llama_logs_unsettled_idx", "id", where="origin IS NULL OR origin IN ('PENDING', 'DECLARED')"),
        index(
            "llama_logs_conflicts_idx",
            "created_at",
            "id",
            where="parent_conflict OR declared_root_job_id <> root_job_id OR origin = 'CYCLE'",
        ),
        index(
            "llama_logs_eventless_idx",
            "id",
            where="legacy_sourced IS FALSE OR legacy_sourced IS NULL AND origin IS NULL",
        ),
        index(
            "llama_logs_to_normalise_idx",
            "id",
            where="origin IS NULL AND is_root_job AND parent_job_id IS NOT NULL",
        ),
        # Few producers: PostgreSQL keeps each number once for many rows.
        Index("llama_logs_producer_id_idx", "producer_id"),
        Index(
            "llama_logs_trace_id_hash_idx",
            text("hashtextextended(substr(traceparent, 4, 32), 0)"),
            postgresql_where=text("traceparent IS NOT NULL"),
        ),
    )

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    entity_type: EntityType | None = Field(default=None, sa_column=Column(ENTITY_TYPE))
    entity_id: UUID | None = Field(default=None, sa_column=Column(UUIDType()))
    artist_id: UUID | None = Field(default=None, sa_column=Column(UUIDType()))
    album_id: UUID | None = Field(default=None, sa_column=Column(UUIDType()))
    track_id: UUID | None = Field(default=None, sa_column=Column(UUIDType()))
    operation: str = Field(sa_column=Column(String(100), nullable=False))
    category: Category = Field(sa_column=Column(CATEGORY, nullable=False))
    sources: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=NO_TEXTS)
    )
    status: Status = Field(sa_column=Column(STATUS, nullable=False))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    fields_enriched: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=NO_TEXTS)
    )
    data_quality_before: DataQuality | None = Field(default=None, sa_column=Column(DATA_QUALITY))
    data_quality_after: DataQuality | None = Field(default=None, sa_column=Column(DATA_QUALITY))
    error_message: str | None = Field(default=None, sa_column=Column(Text))
    error_code: str | None = Field(default=None, sa_column=Column(String(50)))
    retry_count: int | None = Field(default=None, sa_column=Column(Integer))
    duration_ms: int | None = Field(default=None, sa_column=Column(Integer))
    api_call_count: int | None = Field(default=None, sa_column=Column(Integer))
    # SQLAlchemy keeps the attribute name "metadata" for itself.
    metadata_: dict[str, Any] | None = Field(default=None, sa_column=Column("metadata", JSON_OBJECT))
    preview_data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON_OBJECT))
    job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    parent_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    root_job_id: str | None = Field(default=None, sa_column=Column(String(100), comment=ROOT_JOB_ID_COMMENT))
    is_root_job: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    triggered_by: str | None = Field(default=None, sa_column=Column(String(50)))
    user_id: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(
        sa_column=Column(UTC_MILLISECONDS, nullable=False, server_default=text("(now() AT TIME ZONE 'utc')"))
    )
    origin: Origin | None = Field(default=None, sa_column=Column(ORIGIN, comment=ORIGIN_COMMENT))
    declared_root_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    cycle_members: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    parent_conflict: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    revision: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default=text("1")))
    recorded_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))

    legacy_sourced: bool | None = Field(default=None, sa_column=Column(Boolean))
    """Of a legacy row: whether its event was read. NULL: an event made the row, or (while ``origin`` is NULL)
    it is not processed yet."""

    settled_by: int | None = Field(default=None, sa_column=Column(BigInteger))
    """Of a row that was recorded without origin: the correction that gave it one."""

    producer_id: int | None = Field(default=None, sa_column=Column(Integer))
    """The number of an `EventProducer`; no foreign key, which would be checked for each row: a batch of the
    ingest reads its numbers in its own transaction. NULL: a legacy row, or recorded before producers were."""

    traceparent: str | None = Field(default=None, sa_column=Column(Text))

    erased: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    """Whether a person was erased from the row."""

    retracted: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    """Whether the event was taken back."""


class EventProducer(SQLModel, table=True):
    """A producer, which is the CloudEvents ``source`` of its events; rows name it by its number.

    No entry is ever changed or deleted.
    """

    __tablename__ = "event_producers"
    __table_args__ = (ExcludeConstraint(("source", "="), using="hash", name="event_producers_source_excl"),)

    id: int = Field(sa_column=Column(Integer, Identity(always=True), primary_key=True))
    source: str = Field(sa_column=Column(Text, nullable=False))
    first_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class ConsumerPosition(SQLModel, table=True):
    """Up to where a topic was read, written in the transaction of the rows that it led to."""

    __tablename__ = "consumer_positions"

    consumer_group: str = Field(sa_column=Column(Text, primary_key=True))
    topic: str = Field(sa_column=Column(Text, primary_key=True))
    partition: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    next_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    updated_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class LegacyValues(SQLModel, table=True):
    """Values of a row's lineage, as they were when it was normalised, where the rules of roots overrule them.

    ``parent_job_id``: of a row that calls itself a root job, which makes no claim; ``root_job_id``: as
    another program had computed it. No foreign key: a row may be deleted, its values stay.
    """

    __tablename__ = "legacy_values"

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    parent_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    root_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    kept_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class RefusedWrite(SQLModel, table=True):
    """A row that PostgreSQL lets no writer change, set aside: who tried, and why it failed.

    ``seen``: the version of the row (its ``xmin``) that was refused; it is tried again when the row has
    another, or when this is NULL. ``aim``: what the row was to become. No foreign key: a row may be deleted.
    """

    __tablename__ = "refused_rows"
    __table_args__ = (Index("refused_rows_first_at_idx", "first_at", "row_id"),)

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    write: str = Field(sa_column=Column(Text, primary_key=True))
    seen: int | None = Field(default=None, sa_column=Column(XID))
    aim: str | None = Field(default=None, sa_column=Column(Text))
    sqlstate: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    first_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    last_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    attempts: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default=text("1")))


class MigrationJournal(SQLModel, table=True):
    """The changes by migrations of what they found; a down-migration takes back that and no more."""

    __tablename__ = "migration_journal"

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    before: str | None = Field(default=None, sa_column=Column(Text))
    noted_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class OutboxEntry(SQLModel, table=True):
    """A correction that is to be published: noted in its transaction, struck out once Kafka has it.

    No foreign key: a row may be gone before its entry is. ``bulk``: a backfill's or a large
    recompute's, published after all others.
    """

    __tablename__ = "provenance_outbox"
    __table_args__ = (
        index("provenance_outbox_prompt_idx", "noted_at", "row_id", "revision", where="NOT bulk"),
    )

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    noted_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    bulk: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))


class PublishingProgress(SQLModel, table=True):
    """The last row that an interrupted publish-legacy (by its topic) or republish had published."""

    __tablename__ = "publishing_progress"

    publication: str = Field(sa_column=Column(Text, primary_key=True))
    last_row: UUID = Field(sa_column=Column(UUIDType(), nullable=False))
    updated_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))


class RemovedRow(SQLModel, table=True):
    """A row without a source event that a repair removed; ``is_published``: whether its tombstone is."""

    __tablename__ = "removed_rows"
    __table_args__ = (index("removed_rows_unpublished_idx", "row_id", where="NOT is_published"),)

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    removed_at: datetime = Field(sa_column=Column(INSTANT, primary_key=True, server_default=NOW))
    content: Any = Field(sa_column=Column(JSON_OBJECT, nullable=False))
    is_published: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )


class RootCorrection(SQLModel, table=True):
    """A statement that changed roots: when, and why. It is deleted once the history is kept no longer."""

    __tablename__ = "root_corrections"
    __table_args__ = (Index("root_corrections_changed_at_idx", "changed_at"),)

    id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    changed_at: datetime = Field(
        sa_column=Column(INSTANT, nullable=False, server_default=text("statement_timestamp()"))
    )
    cause: Any = Field(sa_column=Column(JSON_OBJECT, nullable=False))


class RootChange(SQLModel, table=True):
    """A change of a row's root or origin: the revision that it made, and what the row had before.

    Not of a row that had neither before: its ``settled_by`` has the correction. No foreign key: a row may be
    deleted.
    """

    __tablename__ = "root_history"
    __table_args__ = (
        Index("root_history_correction_idx", "correction"),
        index(
            "root_history_old_root_hash_idx",
            text("hashtextextended(old_root_job_id, 0)"),
            where="old_root_job_id IS NOT NULL",
        ),
    )

    row_id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    correction: int = Field(sa_column=Column(BigInteger, nullable=False))
    old_root_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    old_origin: Origin | None = Field(default=None, sa_column=Column(ORIGIN))
    root_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    origin: Origin = Field(sa_column=Column(ORIGIN, nullable=False))


class HistoryStart(SQLModel, table=True):
    """The one row that says since when the history of roots is complete."""

    __tablename__ = "history_start"
    __table_args__ = (CheckConstraint("is_only", name="history_start_is_only_check"),)

    is_only: bool = Field(
        default=True, sa_column=Column(Boolean, primary_key=True, server_default=text("true"))
    )
    kept_since: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
