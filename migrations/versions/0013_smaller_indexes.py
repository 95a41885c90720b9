"""Rows of a parent, a root and an entity are found by hashes, which are shorter; others leave out rows.

That of categories has all but the two that most rows are of; those of albums, artists and tracks have rows
that name one.
"""

from collections.abc import Iterator

from migrations.altering import Index, replace_indexes

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SECOND = "int4(date_part('epoch', LEAST(GREATEST(created_at, '1970-01-01Z'), '2100-01-01Z') - '2035-01-01Z'))"
"""The second in which a row was created, from 2035; of a time with a zone as immutable as of one without."""

INDEXES = (
    # Of all rows: the planner leaves statistics of an expression aside where the index is partial.
    Index("llama_logs_parent_job_id_hash_idx", "hashtextextended(parent_job_id, 0)"),
    Index("llama_logs_root_job_id_hash_idx", "hashtextextended(root_job_id, 0)"),
    Index("llama_logs_entity_id_hash_second_idx", f"uuid_hash(entity_id), {SECOND}"),
    Index(
        "llama_logs_rare_categories_idx",
        "category, created_at",
        where="category NOT IN ('CREATED', 'ENRICHED')",
        replaces="llama_logs_category_created_at_idx",
    ),
    *(
        Index(
            f"llama_logs_other_{column}_idx",
            column,
            where=f"{column} IS NOT NULL AND {column} IS DISTINCT FROM entity_id",
        )
        for column in ("album_id", "artist_id", "track_id")
    ),
)

# No named query reads by them any more; what their owner had built stays.
SUPERSEDED = (
    Index("llama_logs_parent_job_id_idx", "parent_job_id", where="parent_job_id IS NOT NULL"),
    Index("llama_logs_root_job_id_idx", "root_job_id", where="root_job_id IS NOT NULL"),
    Index("llama_logs_entity_id_created_at_idx", "entity_id, created_at", where="entity_id IS NOT NULL"),
    Index("llama_logs_category_created_at_idx", "category, created_at"),
    *(
        Index(f"llama_logs_{column}_idx", column, where=f"{column} IS DISTINCT FROM entity_id")
        for column in ("album_id", "artist_id", "track_id")
    ),
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    for index in INDEXES:
        yield from index.preview(found)


def upgrade() -> None:
    replace_indexes(INDEXES, SUPERSEDED, have_expressions=True)


def downgrade() -> None:
    replace_indexes(SUPERSEDED, INDEXES)
