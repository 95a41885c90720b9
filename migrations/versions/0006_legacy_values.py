"""Legacy rows are normalised: values that the rules of roots overrule are kept in columns of their own.

Their roots are computed later, by a backfill: one rule, one repair.
"""

from collections.abc import Iterator

import structlog
from alembic import op
from migrations.altering import (
    Index,
    add_enum_values,
    alter,
    drop_added_index,
    ensure_index,
    missing_enum_values,
    outside_transaction,
    run,
    run_without_lock_timeout,
    set_not_null,
)
from migrations.batches import change_rows
from migrations.journal import (
    ADDED_COLUMN,
    DROPPED_FOREIGN_KEY,
    DROPPED_NOT_NULL,
    TAKEN_OVER,
    identifier,
    inspect_schema,
    note,
    noted,
    quoted,
    strike,
)

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_log = structlog.get_logger(__name__)

TAKE_IN_INDEX = Index(
    "llama_logs_to_take_in_idx",
    "id",
    where="origin IS NULL AND is_root_job AND parent_job_id IS NOT NULL",
    exact=True,
)

# What an event may say or leave out, the column must be able to hold.
ENUM_VALUES = {
    "entity_type": ("ALBUM", "ARTIST", "TRACK"),
    "status": (
        "SUCCESS",
        "PARTIAL_SUCCESS",
        "FAILED",
        "NO_DATA_AVAILABLE",
        "SKIPPED",
        "PREVIEW",
        "PENDING",
        "QUEUED",
        "IN_PROGRESS",
        "COMPLETED",
    ),
    "data_quality_before": ("LOW", "MEDIUM", "HIGH"),
    "data_quality_after": ("LOW", "MEDIUM", "HIGH"),
}
NULLABLE = (
    "entity_type",
    "entity_id",
    "artist_id",
    "album_id",
    "track_id",
    "reason",
    "data_quality_before",
    "data_quality_after",
    "error_message",
    "error_code",
    "retry_count",
    "duration_ms",
    "api_call_count",
    "metadata",
    "preview_data",
    "job_id",
    "parent_job_id",
    "root_job_id",
    "triggered_by",
    "user_id",
)

ROOT_JOBS_LATE = "l.job_id IS NOT NULL AND l.parent_job_id IS NULL AND NOT l.is_root_job AND l.origin IS NULL"
OVERRULED_PARENT = "l.origin IS NULL AND l.is_root_job AND l.parent_job_id IS NOT NULL"
UNKEPT_ROOT = """
    l.origin IS NULL AND l.root_job_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM legacy_values v WHERE v.row_id = l.id AND v.root_job_id IS NOT NULL)
"""

KEEP_PARENT = """
    WITH overruled AS (
        SELECT l.id, l.parent_job_id FROM llama_logs l WHERE {rows} FOR UPDATE
    ), cleared AS (
        UPDATE llama_logs l SET parent_job_id = NULL FROM overruled o WHERE l.id = o.id
        RETURNING o.id, o.parent_job_id
    )
    INSERT INTO legacy_values (row_id, parent_job_id) SELECT id, parent_job_id FROM cleared
    ON CONFLICT (row_id) DO UPDATE
    SET parent_job_id = coalesce(legacy_values.parent_job_id, excluded.parent_job_id)
"""
KEEP_ROOT = """
    INSERT INTO legacy_values (row_id, root_job_id)
    SELECT l.id, l.root_job_id FROM llama_logs l WHERE {rows}
    ON CONFLICT (row_id) DO UPDATE
    SET root_job_id = coalesce(legacy_values.root_job_id, excluded.root_job_id)
"""


def preview(found: SchemaInspector) -> Iterator[Preview]:
    columns = found.columns
    untouched = "l.origin IS NULL" if "origin" in columns else "true"
    yield Preview("create the table legacy_values")
    if "is_root_job" in columns:  # where it is not, it will be true of no row with a parent
        yield Preview(
            "keep aside and clear the parent of rows that call themselves root jobs",
            found.rows(f"l.is_root_job AND l.parent_job_id IS NOT NULL AND {untouched}"),
        )
    if "root_job_id" in columns:
        yield Preview(
            "keep aside the root that another program computed",
            found.rows(f"l.root_job_id IS NOT NULL AND {untouched}"),
        )
    for key in found.foreign_keys:
        yield Preview(f"drop the foreign key {key.name} to {key.target}")
    for column, values in ENUM_VALUES.items():
        missing = missing_enum_values(found, column, values) if column in columns else []
        if missing:
            yield Preview(f"let {column} hold {', '.join(missing)}")
    for column in _too_strict(found):
        yield Preview(f"let {column} be NULL")
    yield from TAKE_IN_INDEX.preview(found)


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS legacy_values (
            row_id uuid PRIMARY KEY,
            parent_job_id varchar(100),
            root_job_id varchar(100),
            kept_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    with outside_transaction():
        ensure_index(TAKE_IN_INDEX)
        keep_aside()
        drop_foreign_keys()
        widen()
        if noted(TAKEN_OVER):
            run_without_lock_timeout("ANALYZE llama_logs")


def keep_aside() -> None:
    if "is_root_job" in noted(ADDED_COLUMN):
        change_rows(
            "telling root jobs that were written meanwhile",
            "UPDATE llama_logs l SET is_root_job = true WHERE {rows}",
            ROOT_JOBS_LATE,
            passes=2,
        )
    # Rows written from now on are normalised by the first repair.
    change_rows("keeping parents of root jobs aside", KEEP_PARENT, OVERRULED_PARENT, passes=2)
    change_rows("keeping roots of another program aside", KEEP_ROOT, UNKEPT_ROOT, passes=2)


def drop_foreign_keys() -> None:
    """Provenance outlives its entities."""
    for key in inspect_schema().foreign_keys:
        alter(
            f"ALTER TABLE llama_logs DROP CONSTRAINT {identifier(key.name)}",
            note(DROPPED_FOREIGN_KEY, key.name, before=key.definition),
        )


def widen() -> None:
    for column, values in ENUM_VALUES.items():
        add_enum_values(column, values)
    for column in _too_strict(inspect_schema()):
        alter(f"ALTER TABLE llama_logs ALTER COLUMN {column} DROP NOT NULL", note(DROPPED_NOT_NULL, column))


def _too_strict(found: SchemaInspector) -> list[str]:
    columns = found.columns
    return [name for name in NULLABLE if name in columns and not columns[name].nullable]


def downgrade() -> None:
    with outside_transaction():
        restore_rows()
        restore_foreign_keys()
        restore_not_null()
        drop_added_index(TAKE_IN_INDEX.name)
    op.execute("DROP TABLE legacy_values")


def restore_rows() -> None:
    """Rows from before get their own values back, and count as unswept."""
    for taken_over in noted(TAKEN_OVER).values():
        change_rows(
            "taking back what was computed for legacy rows",
            """
            UPDATE llama_logs l
            SET origin = NULL, root_job_id = NULL, cycle_members = NULL, parent_conflict = false,
                revision = l.revision + 1
            WHERE {rows}
            """,
            f"l.origin IS NOT NULL AND l.recorded_at = {quoted(taken_over or '')}::timestamptz",
        )
    change_rows(
        "restoring parents and roots of legacy rows",
        """
        UPDATE llama_logs l
        SET parent_job_id = coalesce(v.parent_job_id, l.parent_job_id),
            root_job_id = coalesce(v.root_job_id, l.root_job_id),
            origin = NULL, cycle_members = NULL, parent_conflict = false, revision = l.revision + 1
        FROM legacy_values v
        WHERE v.row_id = l.id AND {rows}
        """,
        """
        EXISTS (
            SELECT FROM legacy_values v
            WHERE v.row_id = l.id
              AND (l.parent_job_id IS DISTINCT FROM coalesce(v.parent_job_id, l.parent_job_id)
                   OR l.root_job_id IS DISTINCT FROM coalesce(v.root_job_id, l.root_job_id))
        )
        """,
    )


def restore_foreign_keys() -> None:
    """Without looking at the rows: some may name what is gone by now."""
    for name, before in noted(DROPPED_FOREIGN_KEY).items():
        definition = (before or "").removesuffix(" NOT VALID")
        target = definition.partition(" REFERENCES ")[2].partition("(")[0]
        if run(f"SELECT to_regclass({quoted(target)})").scalar() is not None:
            alter(
                f"ALTER TABLE llama_logs ADD CONSTRAINT {identifier(name)} {definition} NOT VALID",
                strike(DROPPED_FOREIGN_KEY, name),
            )
        else:
            _log.warning("a foreign key can't be restored: its table is gone", name=name, table=target)


def restore_not_null() -> None:
    for column in noted(DROPPED_NOT_NULL):
        if inspect_schema().any_rows(f"l.{column} IS NULL"):
            _log.warning("NULL stays allowed: rows hold it by now", column=column)
        else:
            set_not_null(column)
            run(strike(DROPPED_NOT_NULL, column))
