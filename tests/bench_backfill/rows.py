"""A legacy table: chains of depth 1 to 20, one in twenty without its top, in the order of their time."""

from urllib.parse import urlsplit

import asyncpg

from llamalog_service.adoption.migration_runner import migrate

PRISTINE = "pristine"

# A row every 100 ms; 50 chains grow side by side. Ids of version 4, job names of 43 characters.
_FILL = """
    INSERT INTO llama_logs (
        id, entity_type, entity_id, track_id, operation, category, sources, status, fields_enriched, metadata,
        job_id, parent_job_id, is_root_job, created_at, duration_ms, api_call_count
    )
    SELECT gen_random_uuid(), 'TRACK', md5('e' || n)::uuid, md5('e' || n)::uuid, 'track:created:enrichment',
           'CREATED', '{MUSICBRAINZ}', 'SUCCESS', '{title,trackNumber}',
           jsonb_build_object('trackNumber', n % 20, 'title', 'Song ' || n),
           'enrich-' || md5(chain || '-' || level)::uuid,
           CASE WHEN level > 1 THEN 'enrich-' || md5(chain || '-' || level - 1)::uuid END,
           level = 1, timestamp '2024-01-01' + n * interval '100 ms', 120, 2
    FROM (
        SELECT chain, level, row_number() OVER (ORDER BY chain / 50, level, chain) AS n
        FROM generate_series(1, 1 + $1::integer / 10) chain, generate_series(1, 20) level
        WHERE level <= 1 + chain % 20 AND NOT (level = 1 AND chain % 20 > 0 AND chain / 20 % 20 = 0)
    ) grown
    ORDER BY n
    LIMIT $1
"""


async def make_pristine(url: str, rows: int) -> None:
    """Make the database that every measurement begins with a copy of.

    Args:
        url: of a database on the server.
    """
    server = await asyncpg.connect(url)
    try:
        await server.execute(f"CREATE DATABASE {PRISTINE}")
    finally:
        await server.close()
    pristine = url_of(url, PRISTINE)
    await migrate(pristine)
    connection = await asyncpg.connect(pristine, command_timeout=3600)
    try:
        await connection.execute(_FILL, rows)
        await connection.execute("VACUUM (ANALYZE) llama_logs")
    finally:
        await connection.close()


async def copy_pristine(url: str, name: str) -> str:
    """A fresh copy under another name, on disk; its address."""
    server = await asyncpg.connect(url, command_timeout=3600)
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {PRISTINE}")
        await server.execute("CHECKPOINT")
    finally:
        await server.close()
    copied = url_of(url, name)
    connection = await asyncpg.connect(copied, command_timeout=3600)
    try:
        await connection.fetchval("SELECT count(*) FROM llama_logs")
    finally:
        await connection.close()
    return copied


async def drop(url: str, name: str) -> None:
    """Drop a copy, also with open connections."""
    server = await asyncpg.connect(url)
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await server.close()


def url_of(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()
