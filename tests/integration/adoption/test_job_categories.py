"""The kit and the migration agree on the category of an operation."""

from importlib import import_module

import asyncpg

from llamalog_schemas.events import Status
from llamalog_schemas.jobs import JOBS, category_of_operation

ODD = [
    "cache:",
    "cache",
    "Cache:x",
    "admin_correction",
    "adminXcorrection",
    "admin_correction:x",
    "enrichment:",
    "enrichment",
    "ENRICHMENT:album",
    "PREVIEW_ENRICHMENT",
    "PREVIEW_ENRICHMENT:x",
    "check:x",
    "xcheck:x",
    "musicbrainz:",
    "spotify:%",
    "discogs:get-artist",
    "album:created",
    "track:linked:enrichment",
]


async def test_an_operation_has_the_category_that_the_migration_gives_it(pool: asyncpg.Pool) -> None:
    rule = import_module("migrations.versions.0003_llama_logs").CATEGORY_OF_ROW
    rows = [(operation, status) for operation in [*JOBS, *ODD] for status in Status]
    judged = await pool.fetch(
        f"SELECT {rule} AS category FROM unnest($1::text[], $2::text[]) "
        "WITH ORDINALITY AS l (operation, status, n) ORDER BY n",
        [operation for operation, _ in rows],
        [status.value for _, status in rows],
    )
    assert [row["category"] for row in judged] == [category_of_operation(*row).value for row in rows]
