"""Rows bear the producer of their event, by its number, and the trace that it was published in."""

from collections.abc import Iterator

from alembic import op
from migrations.altering import (
    Index,
    add_columns,
    drop_added_column,
    drop_added_index,
    ensure_index,
    outside_transaction,
)

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# NULL in every row that is there: who published their events is in the topic, from which a rebuild fills it.
COLUMNS = {"producer_id": "integer", "traceparent": "text"}

INDEXES = (
    Index("llama_logs_producer_id_idx", "producer_id"),
    Index(
        "llama_logs_trace_id_hash_idx",
        "hashtextextended(substr(traceparent, 4, 32), 0)",
        where="traceparent IS NOT NULL",
    ),
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    added = [name for name in COLUMNS if name not in found.columns]
    if added:
        yield Preview(f"add the columns {', '.join(added)}, NULL in every row")
    yield Preview("create the table event_producers")
    for index in INDEXES:
        yield from index.preview(found)


def upgrade() -> None:
    # A btree refuses names of more than 2.7 kB; a hash index compares the whole name and keeps four bytes.
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS event_producers (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            source text NOT NULL,
            first_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT event_producers_source_excl EXCLUDE USING hash (source WITH =)
        )
        """
    )
    with outside_transaction():
        add_columns(COLUMNS)
        for index in INDEXES:
            ensure_index(index)


def downgrade() -> None:
    with outside_transaction():
        for index in INDEXES:
            drop_added_index(index.name)
        for name in COLUMNS:
            drop_added_column(name)
    op.execute("DROP TABLE event_producers")
