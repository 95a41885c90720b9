"""A row that no event would have made is repaired, published and shown like any other."""

import hashlib
import io
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from rich.console import Console

from harness.databases import run_sql
from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.events import EntityType
from llamalog_schemas.provenance import Provenance
from llamalog_service.backfill.recomputes import Sweep
from llamalog_service.cli.lineages import timeline_tree
from llamalog_service.kafka.publisher import MAX_RECORD_BYTES, provenance_message
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.postgres.pool import create_pool
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.timeline import read_timeline

ALBUM = UUID(bytes=hashlib.md5(b"album", usedforsecurity=False).digest())
ENTITY = EntityRef(type=EntityType.ALBUM, id=ALBUM)

ODD = {
    "words that no enum of ours knows": (
        "status = 'ARCHIVED', category = 'MERGED', entity_type = 'LABEL', data_quality_after = 'PERFECT'"
    ),
    "metadata that is a list": "metadata = '[1, null]'",
    "metadata that is a text": """metadata = '"x"'""",
    "preview data that is a number": "preview_data = '1.5'",
    "a number past every float": "metadata = jsonb_build_object('n', '1e400'::numeric)",
    "a number of 5000 digits": """metadata = ('{"n": ' || repeat('9', 5000) || '}')::jsonb""",
    "JSON 65 levels deep": "metadata = (repeat('[', 65) || repeat(']', 65))::jsonb",
    "JSON 1500 levels deep": "metadata = (repeat('[', 1500) || repeat(']', 1500))::jsonb",
    "metadata larger than a message": "metadata = jsonb_build_object('t', repeat('x', 3000000))",
    "an error message larger than a message": "error_message = repeat('y', 3000000)",
    "no arrays": "sources = NULL, fields_enriched = NULL",
    "a NULL among texts": "sources = ARRAY['a', NULL]",
    "an array of arrays": "sources = ARRAY[['a', 'b'], ['c', 'd']]",
    "a time without end": "created_at = 'infinity'",
    "a time before all time": "created_at = '-infinity'",
    "a time before the year 1": "created_at = '0044-03-15 BC'",
    "a time past the year 9999": "created_at = '20000-01-01'",
    "a negative count": "retry_count = -5",
    "a job without a name": "operation = '', job_id = ''",
    "characters that terminals obey": r"operation = E'a\x07\x1b[31m'",
    "no word on being a root job": "is_root_job = NULL",
}


@pytest.fixture
async def legacy_url(database_url: str) -> str:
    """A table as lax as an old one."""
    await run_sql(
        database_url,
        "ALTER TYPE \"EnrichmentStatus\" ADD VALUE 'ARCHIVED'",
        "ALTER TYPE \"EnrichmentEntityType\" ADD VALUE 'LABEL'",
        "ALTER TYPE \"DataQuality\" ADD VALUE 'PERFECT'",
        "ALTER TYPE \"LlamaLogCategory\" ADD VALUE 'MERGED'",
        "ALTER TABLE llama_logs ALTER sources DROP NOT NULL, ALTER fields_enriched DROP NOT NULL, "
        "ALTER is_root_job DROP NOT NULL",
        "INSERT INTO llama_logs (id, operation, category, status, album_id, job_id, created_at) "
        "VALUES (md5('row')::uuid, 'album:add', 'CREATED', 'SUCCESS', md5('album')::uuid, 'job', now())",
    )
    return database_url


@pytest.fixture
async def legacy_pool(legacy_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with create_pool(legacy_url, min_size=0, max_size=2) as pool:
        yield pool


async def published(pool: asyncpg.Pool) -> Provenance:
    """The one row that a sweep corrected, as its readers decode it."""
    assert await Sweep(RecomputeStore(pool), every=1, full_every=9, clock=lambda: 0).sweep_unsettled() == 1
    (row,) = (await ProvenanceOutbox(pool).next_prompt(10)).rows
    value = provenance_message(row).value
    assert value is not None
    assert len(value) <= MAX_RECORD_BYTES
    return decode_provenance(value).data


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_row_is_repaired_published_and_shown(legacy_pool: asyncpg.Pool, odd: str) -> None:
    await legacy_pool.execute(f"UPDATE llama_logs SET {ODD[odd]}")
    record = await published(legacy_pool)
    assert (record.origin, record.revision) == ("ROOT", 2)

    (entry,) = (await read_timeline(Reader(legacy_pool), ENTITY)).entries
    assert entry.row.origin == "ROOT"
    shown = io.StringIO()
    Console(file=shown).print(timeline_tree(await read_timeline(Reader(legacy_pool), ENTITY)))
    assert "\x07" not in shown.getvalue()
    facts = await LogStore(legacy_pool).job_facts(["job", ""])
    assert sum(fact.seen for fact in facts.values()) == 1


async def test_enum_labels_are_published_as_they_are(legacy_pool: asyncpg.Pool) -> None:
    await legacy_pool.execute(f"UPDATE llama_logs SET {ODD['words that no enum of ours knows']}")
    record = await published(legacy_pool)
    words = (record.status, record.category, record.entity_type, record.data_quality_after)
    assert words == ("ARCHIVED", "MERGED", "LABEL", "PERFECT")
    assert record.omitted == ()


@pytest.mark.parametrize(
    ("odd", "left_out"),
    [
        ("a number of 5000 digits", ("metadata",)),
        ("JSON 65 levels deep", ("metadata",)),
        ("metadata larger than a message", ("metadata",)),
        ("an error message larger than a message", ("errorMessage",)),
        ("metadata that is a list", ()),
    ],
)
async def test_what_no_message_can_hold_is_left_out_and_named(
    legacy_pool: asyncpg.Pool, odd: str, left_out: tuple[str, ...]
) -> None:
    await legacy_pool.execute(f"UPDATE llama_logs SET {ODD[odd]}")
    record = await published(legacy_pool)
    assert record.omitted == left_out
    assert (record.metadata is None) == ("errorMessage" in left_out or "metadata" in left_out)
    assert record.operation == "album:add"
