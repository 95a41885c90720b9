"""Every question of the API, the UI and the command line finds its rows by an index.

By entity, by time, by reason of an unknown root, and the root jobs; rows of a job by a hash of its
name, which is shorter. Three indexes that no query uses any more go.
"""

from collections.abc import Iterator

from migrations.altering import Index, replace_indexes

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEXES = (
    # Of all rows: the planner leaves statistics of an expression aside where the index is partial.
    Index("llama_logs_job_id_hash_created_at_idx", "hashtextextended(job_id, 0), created_at NULLS FIRST"),
    Index("llama_logs_created_at_idx", "created_at"),
    Index("llama_logs_entity_id_created_at_idx", "entity_id, created_at", where="entity_id IS NOT NULL"),
    Index("llama_logs_album_id_idx", "album_id", where="album_id IS DISTINCT FROM entity_id"),
    Index("llama_logs_artist_id_idx", "artist_id", where="artist_id IS DISTINCT FROM entity_id"),
    Index("llama_logs_track_id_idx", "track_id", where="track_id IS DISTINCT FROM entity_id"),
    Index("llama_logs_roots_idx", "created_at", where="origin IN ('ROOT', 'ADOPTED')", exact=True),
    Index("llama_logs_unknown_origin_idx", "origin, created_at, id", where="root_job_id IS NULL", exact=True),
    Index(
        "llama_logs_failures_idx",
        "root_job_id, created_at",
        where="root_job_id IS NOT NULL AND (category = 'FAILED' OR status = 'FAILED')",
        exact=True,
    ),
)

# No named query reads by them any more; what their owner had built stays.
SUPERSEDED = (
    Index("llama_logs_job_id_created_at_id_idx", "job_id, created_at, id", where="job_id IS NOT NULL"),
    Index("llama_logs_album_id_created_at_idx", "album_id, created_at", where="album_id IS NOT NULL"),
    Index("llama_logs_is_root_job_created_at_idx", "is_root_job, created_at"),
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    for index in INDEXES:
        yield from index.preview(found)


def upgrade() -> None:
    replace_indexes(INDEXES, SUPERSEDED, have_expressions=True)


def downgrade() -> None:
    replace_indexes(SUPERSEDED, INDEXES)
