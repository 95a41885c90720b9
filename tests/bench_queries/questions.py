"""The queries: of the module that all faces share, of PostgreSQL directly, and over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import asyncpg

from harness.big_log import BIG_ROOT, BigLog, album_of
from llamalog_schemas.events import EntityType
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.jobs import read_tree
from llamalog_service.queries.paging import Cursor
from llamalog_service.queries.root_jobs import RootFilter, read_root_jobs
from llamalog_service.queries.timeline import read_timeline

ALBUMS = 10
PAGES = 3

# The rows alone, without depths, name and parents.
_TIMELINE = """
    WITH named AS (
        SELECT id, root_job_id FROM llama_logs WHERE uuid_hash(entity_id) = uuid_hash($1) AND entity_id = $1
        UNION
        SELECT id, root_job_id FROM llama_logs WHERE album_id = $1 AND album_id IS DISTINCT FROM entity_id
    )
    SELECT l.*
    FROM (SELECT DISTINCT root_job_id FROM named) root
    JOIN llama_logs l ON hashtextextended(l.root_job_id, 0) = hashtextextended(root.root_job_id, 0)
                     AND texteq(l.root_job_id, root.root_job_id)
    UNION ALL
    SELECT l.* FROM llama_logs l JOIN named USING (id) WHERE named.root_job_id IS NULL
    ORDER BY created_at, id
    LIMIT 51
"""

# The rows alone, without depths and parents. OFFSET 0: else the planner reads by time, to meet them soon.
_TREE = """
    SELECT *
    FROM (
        SELECT * FROM llama_logs
        WHERE hashtextextended(root_job_id, 0) = hashtextextended($1, 0) AND texteq(root_job_id, $1)
        OFFSET 0
    ) l
    ORDER BY created_at, id
    LIMIT 51
"""

# What the table shows, without names from other rows; a root job with more rows comes more than once.
_ROOT_JOBS = """
    SELECT r.*, under.*
    FROM (
        SELECT * FROM llama_logs
        WHERE origin IN ('ROOT', 'ADOPTED') AND (created_at, id) < ($1::text::timestamp, $2::uuid)
        ORDER BY created_at DESC, id DESC
        LIMIT 51
    ) r
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, count(*) FILTER (WHERE l.job_id = r.root_job_id) AS own,
               max(l.created_at) AS last,
               count(*) FILTER (WHERE l.category = 'FAILED' OR l.status = 'FAILED') AS failed
        FROM llama_logs l
        WHERE hashtextextended(l.root_job_id, 0) = hashtextextended(r.root_job_id, 0)
          AND texteq(l.root_job_id, r.root_job_id)
    ) under
    ORDER BY r.created_at DESC, r.id DESC
"""


class Question(NamedTuple):
    """One query to be made in three ways.

    Attributes:
        kind: of the questions whose times are taken together.
        rows: how many each way has to find.
    """

    kind: str
    module: Callable[[], Awaitable[int]]
    bare: Callable[[], Awaitable[int]]
    path: str


async def questions(reader: Reader, bare: asyncpg.Connection, log: BigLog) -> list[Question]:
    """Ten timelines, the first pages of the table of root jobs, the first piece of a big tree."""
    queries = [_timeline(reader, bare, 1 + number * (log.albums // ALBUMS)) for number in range(ALBUMS)]
    after: str | None = None
    for _ in range(PAGES):
        queries.append(_root_jobs(reader, bare, after))
        after = (await read_root_jobs(reader, RootFilter(), after=_cursor(after))).next
    queries.append(_tree(reader, bare))
    return queries


def _timeline(reader: Reader, bare: asyncpg.Connection, number: int) -> Question:
    album = EntityRef(type=EntityType.ALBUM, id=album_of(number))

    async def module() -> int:
        return len((await read_timeline(reader, album)).entries)

    async def directly() -> int:
        return len(await bare.fetch(_TIMELINE, album.id))

    return Question("timeline of an album", module, directly, f"/timelines/ALBUM/{album.id}")


def _root_jobs(reader: Reader, bare: asyncpg.Connection, after: str | None) -> Question:
    start: Any = _cursor(after) or Cursor("infinity", album_of(1))

    async def module() -> int:
        return len((await read_root_jobs(reader, RootFilter(), after=_cursor(after))).items)

    async def directly() -> int:
        return len((await bare.fetch(_ROOT_JOBS, start.at, start.row))[:50])

    query = f"?{urlencode({'after': after})}" if after else ""
    return Question("page of root jobs", module, directly, f"/root-jobs{query}")


def _tree(reader: Reader, bare: asyncpg.Connection) -> Question:
    async def module() -> int:
        return len((await read_tree(reader, BIG_ROOT)).entries)

    async def directly() -> int:
        return len((await bare.fetch(_TREE, BIG_ROOT))[:50])

    return Question("first piece of a tree of 20,000", module, directly, f"/tree?job={BIG_ROOT}")


def _cursor(text: str | None) -> Cursor | None:
    return None if text is None else Cursor.parse(text)
