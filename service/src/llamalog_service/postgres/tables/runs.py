"""The tables of runs: backfills and recomputes, the plan of the one under way, requests that were applied."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as UUIDType
from sqlmodel import Field, SQLModel

from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.tables.columns import (
    INSTANT,
    NOW,
    ORIGIN,
    index,
)


class StoredRun(SQLModel, table=True):
    """A stored command: its id makes it idempotent, its status says how far the worker is.

    Recomputes (``kind`` recompute-roots) have jobs and a reason; backfills (backfill-roots) have a request, a
    plan and progress. ``requested_action`` is what a running backfill is to do at its next batch.
    """

    __tablename__ = "backfill_runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'paused', 'completed', 'failed', 'cancelled')",
            name="backfill_runs_status_check",
        ),
        CheckConstraint(
            "requested_action IN ('pause', 'cancel')", name="backfill_runs_requested_action_check"
        ),
        index("backfill_runs_open_idx", "requested_at", where="status IN ('queued', 'running')"),
        index("backfill_runs_backfills_idx", "requested_at", where="kind = 'backfill-roots'"),
    )

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    jobs: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    requested_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    started_at: datetime | None = Field(default=None, sa_column=Column(INSTANT))
    finished_at: datetime | None = Field(default=None, sa_column=Column(INSTANT))
    passes: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    rows_changed: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    error: str | None = Field(default=None, sa_column=Column(Text))
    requested_by: str | None = Field(default=None, sa_column=Column(Text))
    request: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    requested_action: str | None = Field(default=None, sa_column=Column(Text))
    phase: str = Field(default="waiting", sa_column=Column(Text, nullable=False, server_default="waiting"))
    plan: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    to_set: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    resume_at: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    scanned: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    rows_set: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    by_class: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    batch_size: int | None = Field(default=None, sa_column=Column(Integer))
    batches: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    lock_timeouts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    rows_per_second: float = Field(
        default=0.0, sa_column=Column(Double, nullable=False, server_default=text("0"))
    )
    updated_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
    report: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    end_published: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )


class BackfillPlanRow(SQLModel, table=True):
    """The plan of the backfill under way: a row that was recorded before, and what the rule gives it.

    ``revision`` is the row's own when it was planned; ``differs`` says that it was not as planned,
    ``was_settled`` that it had an origin, on which others may rely, ``needs_normalising`` that it is another
    writer's, of whose values some are to be kept aside.
    """

    __tablename__ = "backfill_plan"

    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    row_id: UUID = Field(sa_column=Column(UUIDType(), nullable=False))
    root_job_id: str | None = Field(default=None, sa_column=Column(String(100)))
    origin: Origin = Field(sa_column=Column(ORIGIN, nullable=False))
    cycle_members: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    parent_conflict: bool = Field(sa_column=Column(Boolean, nullable=False))
    revision: int = Field(sa_column=Column(Integer, nullable=False))
    differs: bool = Field(sa_column=Column(Boolean, nullable=False))
    was_settled: bool = Field(sa_column=Column(Boolean, nullable=False))
    needs_normalising: bool = Field(sa_column=Column(Boolean, nullable=False))


class HandledRequest(SQLModel, table=True):
    """A request to pause, resume or cancel that was applied: redelivered later, it must not count again."""

    __tablename__ = "handled_requests"

    id: UUID = Field(sa_column=Column(UUIDType(), primary_key=True))
    run: UUID = Field(sa_column=Column(UUIDType(), nullable=False))
    request: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, nullable=False))
    handled_at: datetime = Field(sa_column=Column(INSTANT, nullable=False, server_default=NOW))
